"""Which builder a tree gets, how lines of a shell become start commands, and what an image never contains."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.builders.parts import write_files

from towline.builders.base import Builder
from towline.builders.buildkit import BuildKit
from towline.builders.detect import choose_builder
from towline.builders.dockerfile import DockerfileBuilder
from towline.builders.manifests import first_version, ignore_rules, read_manifest
from towline.builders.node import NodeBuilder
from towline.builders.python import PythonBuilder
from towline.builders.start import given_command, shell_command
from towline.builders.static import StaticBuilder
from towline.errors import BuildFailed, InvalidInput
from towline.values import BuildSpec


@pytest.fixture
def builders(buildkit: BuildKit) -> Mapping[str, Builder]:
    """One of each kind."""
    made = [StaticBuilder(buildkit), PythonBuilder(buildkit), NodeBuilder(buildkit), DockerfileBuilder(buildkit)]
    return {builder.kind: builder for builder in made}


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["Dockerfile", "package.json", "requirements.txt", "index.html"], "dockerfile"),
        (["package.json", "index.html"], "node"),
        (["package.json", "requirements.txt", "manage.py"], "python"),
        (["pyproject.toml", "index.html"], "python"),
        (["public/index.html", "README.md"], "static"),
    ],
)
def test_kind_follows_from_the_files(builders: Mapping[str, Builder], tree: Path, names: list[str], kind: str) -> None:
    write_files(tree, dict.fromkeys(names, ""))

    assert choose_builder(builders, tree, BuildSpec()).kind == kind


def test_spec_decides_before_the_files(builders: Mapping[str, Builder], tree: Path) -> None:
    write_files(tree, {"Dockerfile": "", "app/index.html": "", "app/docker/Dockerfile": ""})

    assert choose_builder(builders, tree, BuildSpec(builder="static")).kind == "static"
    assert choose_builder(builders, tree, BuildSpec(builder="python", dockerfile="FROM x")).kind == "dockerfile"
    assert choose_builder(builders, tree / "app", BuildSpec()).kind == "static"
    assert choose_builder(builders, tree, BuildSpec(dockerfile_path="docker/Dockerfile")).kind == "dockerfile"


def test_tree_of_no_known_kind_says_what_was_looked_for(builders: Mapping[str, Builder], tree: Path) -> None:
    write_files(tree, {"README.md": ""})

    with pytest.raises(BuildFailed, match=r"no Dockerfile, no package\.json, .*no index\.html"):
        choose_builder(builders, tree, BuildSpec())
    with pytest.raises(InvalidInput):
        choose_builder({}, tree, BuildSpec(builder="node"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gunicorn app:app --bind :$PORT", "exec gunicorn app:app --bind :$PORT"),
        ("A=1 B='x y' node server.js", "A=1 B='x y' exec node server.js"),
        ("gunicorn 'app:make()' ", "exec gunicorn 'app:make()'"),
        ("exec gunicorn app", "exec gunicorn app"),
        ("migrate && serve", "migrate && serve"),
        ("serve | tee log", "serve | tee log"),
        ("(serve)", "(serve)"),
        ("serve $(cat x)", "serve $(cat x)"),
    ],
)
def test_single_command_replaces_the_shell(line: str, expected: str) -> None:
    assert shell_command(line) == ("/bin/sh", "-c", expected)


def test_procfile_line_for_the_web_is_the_start_command_unless_the_settings_say_otherwise(tree: Path) -> None:
    write_files(tree, {"Procfile": "worker: x\n# web: no\nweb:\nweb : serve: now\n"})

    assert given_command(tree, BuildSpec()) == ("/bin/sh", "-c", "exec serve: now")
    assert given_command(tree, BuildSpec(start_command=("a", "b"))) == ("a", "b")
    assert given_command(tree / "none", BuildSpec()) is None


def test_manifests_are_never_read_through_links_that_leave_the_tree(tree: Path) -> None:
    (tree / "Procfile").symlink_to("/etc/hostname")
    (tree / "loop").symlink_to("loop")
    (tree / "large").write_text("x" * 2_000_000)

    assert [read_manifest(tree, name) for name in ("Procfile", "loop", "large", "missing")] == [""] * 4


def test_ignore_rules_keep_the_trees_own_but_never_hide_what_is_copied(tree: Path) -> None:
    write_files(tree, {".dockerignore": "*\n!src\n"})

    rules = ignore_rules(tree, needed=["dist"], hidden=["**/.*"]).splitlines()

    assert rules[0] == ".git"
    assert rules[-5:] == ["**/.*", "*", "!src", "!dist", "!dist/**"]


@pytest.mark.parametrize(
    ("text", "version"), [("3.12.4\n", "3.12"), ("v20.1", "20.1"), ("^18", "18"), (">=18", ""), ("lts/*", ""), ("", "")]
)
def test_version_is_read_where_one_is_named(text: str, version: str) -> None:
    assert first_version(text) == version
