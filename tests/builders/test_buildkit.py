"""The docker command of a build as a value, and the choice of the docker program."""

import os
import stat
from pathlib import Path

import pytest
from tests.builders.parts import DOCKER, Lines

from towline.builders.buildkit import BuildFiles, BuildKit, build_command, build_environment
from towline.builders.docker_cli import DockerCli, choose_docker_cli, list_candidates
from towline.builders.image_facts import image_from
from towline.builders.recipe import Recipe
from towline.errors import InvalidInput, TowlineError, Unavailable
from towline.values import BuildSpec, Image

FILES = BuildFiles(Path("/p/Dockerfile"), Path("/p/image-id"), {"token": Path("/p/secret-0")})
BUILT_IN = DockerCli("/usr/bin/docker", "20.10.24", has_buildx=False)


def test_command_carries_names_and_never_the_values_of_arguments_and_secrets() -> None:
    arguments = {"TOKEN": "t0p", "LD_PRELOAD": "/x.so"}
    spec = BuildSpec(target="--final", arguments=arguments, secrets={"token": "s3cr3t"}, use_cache=False)

    command = build_command(BUILT_IN, spec, context=Path("/tree"), files=FILES, tag="app:1", labels=["a=b", "c=d e"])

    assert command == [
        "/usr/bin/docker",
        "build",
        "--progress=plain",
        "--file=/p/Dockerfile",
        "--tag=app:1",
        "--iidfile=/p/image-id",
        "--label=a=b",
        "--label=c=d e",
        "--target=--final",
        "--no-cache",
        "--build-arg=TOKEN",
        "--build-arg=LD_PRELOAD=/x.so",
        "--secret=id=token,src=/p/secret-0",
        "--",
        "/tree",
    ]


def test_caches_of_a_scope_are_its_own_whatever_the_source_says() -> None:
    spec = BuildSpec(cache_scope="prj_1", arguments={"BUILDKIT_CACHE_MOUNT_NS": "prj_2"})

    command = build_command(BUILT_IN, spec, context=Path("/tree"), files=FILES, tag="app:1", labels=[])

    given = [argument for argument in command if "CACHE_MOUNT_NS" in argument]
    assert given[-1] == "--build-arg=BUILDKIT_CACHE_MOUNT_NS=prj_1"


def test_buildx_builds_on_the_daemon_itself() -> None:
    cli = DockerCli("/usr/bin/docker", "29.0.0", has_buildx=True)

    command = build_command(cli, BuildSpec(), context=Path("/tree"), files=FILES, tag="app:1", labels=[])

    assert command[:6] == ["/usr/bin/docker", "buildx", "build", "--builder", "default", "--load"]


@pytest.mark.parametrize("name", ["LD_PRELOAD", "DOCKER_HOST", "PATH", "home", "GODEBUG", "https_proxy", "BASH_ENV"])
def test_arguments_that_would_steer_the_client_stay_out_of_its_environment(name: str) -> None:
    environment = build_environment(
        BuildSpec(arguments={name: "evil", "HOMEPAGE": "x", "NODE_ENV": "test"}),
        docker_host="",
        client=Path("/client"),
    )

    assert environment["DOCKER_CONFIG"] == "/client"
    assert "evil" not in environment.values()
    assert (environment["HOMEPAGE"], environment["NODE_ENV"]) == ("x", "test")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (BuildSpec(arguments={"a=b": ""}), "arguments"),
        (BuildSpec(arguments={"A": "x\0y"}), "arguments"),
        (BuildSpec(arguments={"A": "x" * 200_000}), "arguments"),
        (BuildSpec(arguments={"A": "\udc80"}), "arguments"),
        (BuildSpec(secrets={"a,src=/etc/shadow": ""}), "secrets"),
        (BuildSpec(target="x\0"), "target"),
        (BuildSpec(dockerfile="FROM \ud800"), "dockerfile"),
    ],
)
async def test_values_no_command_can_carry_are_refused(spec: BuildSpec, field: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await BuildKit().build(Recipe(tmp_path, text="FROM scratch"), spec, tag="x", labels=[], report=Lines())

    assert refusal.value.field == field


def test_candidates_are_every_docker_in_the_path_and_the_usual_place_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "docker").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")

    found = list_candidates("", f"{tmp_path}/a:{tmp_path}/none:{tmp_path}/link:{tmp_path}/b")

    assert found[:2] == [f"{tmp_path}/a/docker", f"{tmp_path}/b/docker"]
    assert list_candidates("/opt/docker", "/usr/bin") == ["/opt/docker"]


async def test_client_that_cannot_build_is_named_with_its_reason(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\n[ "$1" = version ] && echo "28.2.2 20.10.24" || echo "no such command"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)

    with pytest.raises(Unavailable, match=r"docker 28\.2\.2 has no buildx plugin"):
        await choose_docker_cli(str(program), "")
    with pytest.raises(TowlineError, match="is not installed"):
        await choose_docker_cli(str(tmp_path / "missing"), "")


@pytest.mark.docker
async def test_working_client_is_chosen_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = tmp_path / "docker"
    newer.write_text('#!/bin/sh\necho "28.2.2 20.10.24"\n')
    newer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    chosen = await choose_docker_cli("", "unix:///run/docker.sock")

    assert chosen.path == DOCKER
    assert f"not used: {newer} 28.2.2 has no buildx plugin" in chosen.reason
    assert await choose_docker_cli("", "unix:///run/docker.sock") is chosen


def test_image_facts_are_read_from_the_engines_answer() -> None:
    answer: dict[str, object] = {
        "Id": "sha256:ab",
        "Size": 12,
        "Config": {"ExposedPorts": {"9000/tcp": {}, "80/tcp": {}, "53/udp": {}}, "Healthcheck": {"Test": ["CMD", "x"]}},
    }

    assert image_from(answer) == Image("sha256:ab", "sha256:ab", size=12, port=80, has_healthcheck=True)
    bare: dict[str, object] = {"Id": "sha256:ab", "Config": {"Healthcheck": {"Test": ["NONE"]}}}
    assert image_from(bare) == Image("sha256:ab", "sha256:ab")
