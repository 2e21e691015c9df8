"""What builder tests are made of: the docker client, files of a tree, stand-in images, a report that is kept."""

import subprocess
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from towline.values import Image

DOCKER = "/usr/bin/docker"
Build = Callable[..., Coroutine[Any, Any, Image]]


def docker(*arguments: str, stdin: str | None = None) -> str:
    """Run the docker client and return what it printed."""
    environment = {"DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    finished = subprocess.run(
        [DOCKER, *arguments], env=environment, input=stdin, check=True, capture_output=True, text=True
    )
    return finished.stdout.strip()


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by their relative names."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def make_stand_in(tag: str, *, base: str, program: str) -> None:
    """Build an image that has a program which only says how it was called."""
    script = f"#!/bin/sh\\necho {program} $*\\n"
    text = f"FROM {base}\nRUN printf '{script}' > /bin/{program} && chmod +x /bin/{program}\n"
    docker("build", "-t", tag, "--label", f"towline.test={tag}", "-", stdin=text)


class Lines(list[str]):
    """Collects what a build reports."""

    async def __call__(self, line: str) -> None:
        self.append(line)

    @property
    def text(self) -> str:
        """Everything reported."""
        return "\n".join(self)
