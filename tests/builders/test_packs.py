"""Builds planned by nixpacks or railpack: the commands, and one build planned by a stand-in program."""

from pathlib import Path

import pytest
from tests.builders.parts import Lines, docker, write_files

from towline.builders.buildkit import BuildKit
from towline.builders.packs import NixpacksBuilder, RailpackBuilder
from towline.builders.recipe import Recipe
from towline.errors import BuildFailed
from towline.values import BuildSpec

PROGRAM = """#!/bin/sh
case "$2" in --out=*) out=${2#--out=} ;; esac
mkdir -p "$out/.nixpacks" && cp -r "$4/." "$out" && echo planned
printf 'FROM scratch\\nCOPY app.rb /\\nEXPOSE 4567\\n' > "$out/.nixpacks/Dockerfile"
"""


def test_railpack_plans_outside_the_tree_and_its_frontend_builds(buildkit: BuildKit) -> None:
    builder = RailpackBuilder(buildkit, frontend="registry.example/railpack")
    spec = BuildSpec(start_command=("ruby", "a b"), arguments={"A": "1"})

    command = builder.plan_command(Path("/tree"), Path("/plan"), spec=spec)
    recipe, planned = builder.recipe(Path("/tree"), Path("/plan"), spec=spec)

    assert command == ["railpack", "prepare", "--plan-out=/plan", "--start-cmd=ruby 'a b'", "--", "/tree"]
    assert recipe == Recipe(Path("/tree"), dockerfile=Path("/plan"))
    assert planned.arguments == {"A": "1", "BUILDKIT_SYNTAX": "registry.example/railpack"}


def test_program_that_is_not_installed_builds_nothing(buildkit: BuildKit, tree: Path) -> None:
    assert not NixpacksBuilder(buildkit, program="no-such-program").detect(tree)


async def test_failed_plan_is_a_failed_build(buildkit: BuildKit, tree: Path, tmp_path: Path, lines: Lines) -> None:
    program = tmp_path / "nixpacks"
    write_files(tmp_path, {"nixpacks": "#!/bin/sh\necho no provider; exit 3\n"})
    program.chmod(0o755)

    with pytest.raises(BuildFailed, match=r"could not plan the build \(exit code 3\)") as failure:
        await NixpacksBuilder(buildkit, program=str(program)).build(tree, BuildSpec(), tag="x", labels=[], report=lines)

    assert "no provider" in failure.value.hint


@pytest.mark.docker
async def test_planned_tree_is_built_within_our_limits(
    buildkit: BuildKit, tree: Path, tag: str, tmp_path: Path, lines: Lines
) -> None:
    write_files(tmp_path, {"nixpacks": PROGRAM, "tree/app.rb": ""})
    (tmp_path / "nixpacks").chmod(0o755)
    builder = NixpacksBuilder(buildkit, program=str(tmp_path / "nixpacks"))

    image = await builder.build(tree, BuildSpec(), tag=tag, labels=[f"towline.test={tag}"], report=lines)

    assert builder.detect(tree)
    assert (image.port, lines[0]) == (4567, "planned")
    assert docker("image", "inspect", "--format", "{{.Id}}", tag) == image.digest
