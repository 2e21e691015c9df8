"""What the tests of orchestrators share: images made on the spot, run specifications, waiting."""

import asyncio
import io
import subprocess
import tarfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from towline.orchestrators.base import Orchestrator
from towline.values import InstanceEvent, Limits, RunSpec

DOCKER = "/usr/bin/docker"
APPLETS = ("sh", "httpd", "sleep", "echo", "cat", "true", "false", "seq", "nc", "head", "dd", "od", "printf")
PROGRAMS: Mapping[str, str] = {
    "web": "echo started; exec httpd -f -p ${PORT:-8080} -h /www",
    "exits": "echo 'error: this program exits at once' >&2; exit 3",
    "silent": "echo started; exec sleep 1000",
    "loopback": "echo started; exec httpd -f -p 127.0.0.1:8080 -h /www",
    "other-port": "echo started; exec httpd -f -p 9999 -h /www",
}


@dataclass(frozen=True)
class Bench:
    """An orchestrator under test with its images by behaviour and a network."""

    orchestrator: Orchestrator
    images: Mapping[str, str]
    network: str

    def spec(self, behaviour: str = "web", **changes: object) -> RunSpec:
        """A run specification for an image of that behaviour, each with ids of its own."""
        tail = uuid.uuid4().hex[:8]
        fields: dict[str, object] = {
            "workload_id": f"wl_{tail}",
            "project_id": "prj_1",
            "service_id": "svc_1",
            "environment_id": "env_1",
            "release_id": f"rel_{tail}",
            "release_number": 1,
            "deployment_id": f"dep_{tail}",
            "project": "shop",
            "service": "web",
            "environment": "production",
            "image": self.images[behaviour],
            "network": self.network,
            "limits": Limits(memory_bytes=64 * 1024 * 1024),
        }
        return RunSpec(**{**fields, **changes})  # pyright: ignore[reportArgumentType]


def docker(*arguments: str, stdin: bytes | None = None) -> str:
    """What the Docker command prints."""
    finished = subprocess.run([DOCKER, *arguments], input=stdin, capture_output=True, check=True, timeout=60)
    return finished.stdout.decode().strip()


def busybox_tar() -> bytes:
    """A root file system of busybox and one page."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add("/bin/busybox", "bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        page = tarfile.TarInfo("www/index.html")
        page.size = len(b"hello\n")
        archive.addfile(page, io.BytesIO(b"hello\n"))
    return packed.getvalue()


def one_file_tar(text: str) -> bytes:
    """A root file system like no other."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("note")
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def import_image(tag: str, root: bytes, *changes: str) -> str:
    """Make an image of a root file system; its id."""
    options = [part for change in changes for part in ("--change", change)]
    return docker("import", *options, "-", tag, stdin=root)


async def wait_until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 40) -> None:
    """Poll until the condition holds; AssertionError when it never does."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.02)


async def drop(line: str) -> None:
    """Report nowhere."""


async def until_death(events: AsyncIterator[InstanceEvent]) -> AsyncIterator[InstanceEvent]:
    """Events up to the first that tells of a death in the engine's own words."""
    async for event in events:
        yield event
        if event.kind == "die":
            return
