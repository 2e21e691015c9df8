"""A full disk fails the deployment with that reason; running apps and the database are unharmed."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.conftest import QUICK
from tests.e2e.parts import app, failed, log_of, start_deployment, succeeded, wait_for_step
from tests.running import Place, RunningTowline, running_towline

from towline.errors import TowlineError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def towline(base_image: str) -> Iterator[RunningTowline]:
    """A Towline whose data folder is on a disk of its own, of 400 MB."""
    disk = Path(tempfile.mkdtemp(prefix="towline-e2e-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m,mode=711", "tmpfs", disk], check=True)
    settings = {**QUICK, "TOWLINE_MINIMUM_FREE_DISK_BYTES": "0"}
    try:
        with running_towline(Place(parent=disk), **settings) as running:
            yield running
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
        disk.rmdir()


@pytest.fixture
def project(towline: RunningTowline) -> Iterator[str]:
    """A project of this Towline with a service that serves."""
    name = f"disk{os.urandom(4).hex()}"
    towline.create_service(name)
    succeeded(towline.deploy_files(name, app("old")))
    yield name
    towline.client.projects.delete(name)


@contextmanager
def _left_free(towline: RunningTowline, size: int) -> Generator[None]:
    """Fill the disk but for so many bytes."""
    ballast = towline.folder.parent / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while (free := shutil.disk_usage(towline.folder).free - size) > 0:
            file.write(bytes(min(free, MEBIBYTE)))
    try:
        yield
    finally:
        ballast.unlink()


def test_while_fetching(towline: RunningTowline, project: str) -> None:
    host = f"web-{project}.localhost"
    files = {**app("new"), "big": os.urandom(30 * MEBIBYTE)}
    upload_needs, tree_needs = 31 * MEBIBYTE, 20 * MEBIBYTE
    with _left_free(towline, upload_needs + tree_needs):
        text = failed(towline.deploy_files(project, files), "disk-full")
        assert "towline doctor" in text
        assert towline.get(host).text == "old"
    assert not list((towline.folder / "tmp").glob("*/*")) if (towline.folder / "tmp").exists() else True
    succeeded(towline.deploy_files(project, files))
    assert towline.get(host).text == "new"


def test_while_uploading(towline: RunningTowline, project: str) -> None:
    files = {**app("new"), "big": os.urandom(30 * MEBIBYTE)}
    with _left_free(towline, 20 * MEBIBYTE):
        with pytest.raises(TowlineError) as refused:
            towline.upload(project, files)
        assert (refused.value.code, refused.value.status) == ("disk-full", 507)
        assert towline.get(f"web-{project}.localhost").text == "old"
    assert towline.upload(project, files)


def test_while_building_and_logging_with_not_a_byte_left(towline: RunningTowline, project: str) -> None:
    host = f"web-{project}.localhost"
    more = f"RUN for i in $(seq 1 6); do seq 1 20000; sleep 0.5; done; echo {project}"
    deployment = start_deployment(towline, project, app("new", more=more))
    wait_for_step(towline, deployment, "build")
    with _left_free(towline, 0):
        ended = towline.client.wait_for_deployment(deployment, timeout=60)
        assert towline.get(host).text == "old"
    failed(ended, "disk-full")
    assert towline.get(host).text == "old"
    newer = succeeded(towline.deploy_files(project, app("newer")))
    assert towline.get(host).text == "newer"
    assert log_of(towline, newer.id).endswith("Done.")
