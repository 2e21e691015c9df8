"""Pushing to and pulling from a real registry with a password."""

import subprocess
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

import pytest
from tests.orchestrators.parts import Bench, docker, drop, import_image, one_file_tar
from tests.ports import free_port

from towline.errors import ImageNotFound, SourceUnavailable
from towline.values import Credential, Image

pytestmark = pytest.mark.docker
RIGHT = Credential("ann", "geheim ü")
WRONG = Credential("ann", "guessed")


@dataclass(frozen=True)
class Registry:
    """A running registry on a loopback address."""

    address: str


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Debian's `docker-registry`, which asks for ann's password."""
    folder = tmp_path_factory.mktemp("registry")
    address = f"127.0.0.1:{free_port()}"
    _write_configuration(folder, address)
    with subprocess.Popen(
        ["docker-registry", "serve", str(folder / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        _wait_for(address)
        yield Registry(address)
        process.terminate()


def _write_configuration(folder: Path, address: str) -> None:
    passwords = subprocess.run(
        ["htpasswd", "-Bbn", RIGHT.username, RIGHT.password], capture_output=True, check=True, timeout=20
    )
    (folder / "htpasswd").write_bytes(passwords.stdout)
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/files}}}}\n"
        f"http: {{addr: '{address}'}}\nauth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n"
    )


def _wait_for(address: str) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + 10
    while True:
        try:
            create_connection((host, int(port))).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


@pytest.fixture
async def image(docker_bench: Bench) -> AsyncGenerator[Image]:
    """A small image nobody else has."""
    tag = f"towline-test-{uuid.uuid4().hex[:8]}/small:1"
    image_id = import_image(tag, one_file_tar(tag))
    yield await docker_bench.orchestrator.get_image(image_id)
    docker("image", "rm", "--force", image_id)


async def test_an_image_is_pushed_and_pulled_by_digest(docker_bench: Bench, registry: Registry, image: Image) -> None:
    orchestrator = docker_bench.orchestrator
    lines: list[str] = []

    async def keep(line: str) -> None:
        lines.append(line)

    repository = f"{registry.address}/team/app"
    pushed = await orchestrator.push_image(image, repository=repository, credential=RIGHT, report=keep)
    assert pushed.reference == f"{repository}@{pushed.digest}"
    assert any("Pushed" in line for line in lines)
    assert (await orchestrator.get_image(pushed.reference)).reference == image.reference
    docker("image", "rm", "--force", image.reference)
    with pytest.raises(ImageNotFound):
        await orchestrator.get_image(pushed.reference)
    pulled = await orchestrator.pull_image(pushed.reference, credential=RIGHT, report=keep)
    assert (pulled.reference, pulled.digest) == (image.reference, pushed.digest)


async def test_a_moving_tag_is_followed_and_survives_its_registry(
    docker_bench: Bench, registry: Registry, image: Image
) -> None:
    orchestrator = docker_bench.orchestrator
    repository = f"{registry.address}/team/moving"
    pushed = await orchestrator.push_image(image, repository=repository, credential=RIGHT, report=drop)
    tag = f"{repository}:{image.digest.removeprefix('sha256:')[:16]}"
    assert (await orchestrator.pull_image(tag, credential=RIGHT, report=drop)).digest == pushed.digest
    lines: list[str] = []

    async def keep(line: str) -> None:
        lines.append(line)

    kept = await orchestrator.pull_image(tag, credential=WRONG, report=keep)
    assert kept.reference == image.reference
    assert "The image on this machine is used." in lines[-1]


async def test_wrong_passwords_and_missing_images_are_said(
    docker_bench: Bench, registry: Registry, image: Image
) -> None:
    orchestrator = docker_bench.orchestrator
    repository = f"{registry.address}/team/secret"
    with pytest.raises(ImageNotFound) as refused:
        await orchestrator.push_image(image, repository=repository, credential=WRONG, report=drop)
    assert "password" in refused.value.hint
    for credential, word in ((WRONG, "password"), (None, "password"), (RIGHT, "tag")):
        with pytest.raises(ImageNotFound) as missing:
            await orchestrator.pull_image(f"{repository}:9", credential=credential, report=drop)
        assert word in missing.value.hint
        assert RIGHT.password not in missing.value.message


async def test_a_registry_that_does_not_answer_is_said(docker_bench: Bench) -> None:
    with pytest.raises(SourceUnavailable):
        await docker_bench.orchestrator.pull_image(f"127.0.0.1:{free_port()}/x:1", credential=None, report=drop)


async def test_the_beginning_of_an_image_s_id_is_no_name_for_it(docker_bench: Bench, image: Image) -> None:
    beginning = image.digest.removeprefix("sha256:")[:8]
    with pytest.raises((ImageNotFound, SourceUnavailable)):
        await docker_bench.orchestrator.pull_image(beginning, credential=None, report=drop)
