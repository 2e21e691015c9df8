"""Dockerfile builds against a real daemon: what comes out, what stays secret, and what is refused."""

from pathlib import Path

import pytest
from tests.builders.parts import Build, Lines, docker

from towline.errors import BuildFailed, InvalidInput

pytestmark = pytest.mark.docker


async def test_tree_with_a_dockerfile_becomes_a_tagged_and_labelled_image(
    build: Build, tree: Path, tag: str, lines: Lines, busybox_image: str
) -> None:
    (tree / "hello.txt").write_text("hello")
    (tree / "Dockerfile").write_text(f"FROM {busybox_image}\nCOPY hello.txt /\nEXPOSE 9000 8000/tcp 53/udp\n")

    image = await build()

    assert image.reference == image.digest == docker("image", "inspect", "--format", "{{.Id}}", tag)
    assert docker("image", "inspect", "--format", '{{index .Config.Labels "towline.test"}}', tag) == tag
    assert (image.port, image.has_healthcheck) == (8000, False)
    assert image.size > 1_000_000
    assert "[2/2] COPY hello.txt /" in lines


async def test_inline_dockerfile_wins_and_leaves_the_trees_own_alone(build: Build, tree: Path, tag: str) -> None:
    (tree / "Dockerfile").write_text("FROM never/pulled\n")
    (tree / "a.txt").write_text("a")
    (tree / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")

    image = await build(dockerfile='FROM scratch\nCOPY . /\nHEALTHCHECK CMD ["/ok"]\n')

    assert image.has_healthcheck
    assert (tree / "Dockerfile").read_text() == "FROM never/pulled\n"


async def test_dockerfile_in_a_subfolder_is_found_from_the_root_and_from_the_context(build: Build, tree: Path) -> None:
    (tree / "app").mkdir()
    (tree / "app" / "Dockerfile").write_text("FROM scratch\nCOPY own.txt /\n")
    (tree / "app" / "own.txt").write_text("x")

    from_context = await build(context="app")
    from_root = await build(context="app", dockerfile_path="app/Dockerfile")

    assert from_context.digest == from_root.digest


async def test_arguments_and_secrets_reach_the_steps_and_nothing_else(
    build: Build, tree: Path, tag: str, lines: Lines, busybox_image: str
) -> None:
    (tree / "Dockerfile").write_text(
        f"FROM {busybox_image}\nARG COLOUR\nARG DOCKER_HOST\n"
        "RUN --mount=type=secret,id=token test $(wc -c < /run/secrets/token) = 7\n"
        'RUN echo "$COLOUR, $DOCKER_HOST, [$NO_PROXY]" > /out; echo saw $(cat /out)\n'
    )

    image = await build(
        arguments={"COLOUR": "blue $x 'q'", "DOCKER_HOST": "tcp://192.0.2.1:1", "NO_PROXY": "intranet"},
        secrets={"token": "hunter2"},
        use_cache=False,
    )

    assert any(line.startswith("saw blue $x 'q', tcp://192.0.2.1:1, [intranet") for line in lines)
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image.reference)
    assert "hunter2" not in history + lines.text + docker("image", "inspect", tag)


async def test_second_build_of_the_same_tree_comes_from_the_cache(
    build: Build, tree: Path, lines: Lines, busybox_image: str
) -> None:
    (tree / "Dockerfile").write_text(f"FROM {busybox_image}\nRUN cat /proc/sys/kernel/random/uuid > /id\n")

    first = await build()
    second = await build()
    third = await build(use_cache=False)

    assert first.digest == second.digest != third.digest
    assert "[2/2] cached" in lines


@pytest.mark.parametrize("path", ["../Dockerfile", "/etc/hostname", "link", "a\0b", "link/../../x"])
async def test_dockerfile_outside_the_tree_is_refused(build: Build, tree: Path, path: str) -> None:
    (tree / "link").symlink_to("/etc/hostname")

    with pytest.raises(InvalidInput) as refusal:
        await build(dockerfile_path=path)

    assert refusal.value.field == "dockerfile_path"


@pytest.mark.parametrize("context", ["..", "/", "missing", "link"])
async def test_context_outside_the_tree_is_refused(build: Build, tree: Path, context: str) -> None:
    (tree / "link").symlink_to("/etc")

    with pytest.raises(InvalidInput) as refusal:
        await build(context=context, dockerfile="FROM scratch\n")

    assert refusal.value.field == "context"


async def test_missing_dockerfile_is_named(build: Build) -> None:
    with pytest.raises(BuildFailed, match=r"no file 'deploy/Dockerfile'"):
        await build(dockerfile_path="deploy/Dockerfile")


@pytest.mark.parametrize("field", ["arguments", "secrets"])
async def test_odd_names_of_arguments_and_secrets_are_refused(build: Build, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await build(dockerfile="FROM scratch\n", **{field: {"a,src=/etc/shadow": "x"}})

    assert refusal.value.field == field
