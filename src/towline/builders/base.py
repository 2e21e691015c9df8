"""The contract of a builder: bundle -> image."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from towline.values import BuildSpec, Image, Report


class Builder(ABC):
    """One way to turn a tree into an image.

    Raises BuildFailed (with the last lines), OutOfMemory, TimedOut, DiskFull, InvalidInput. Cancelling the task ends
    the build and every process of it within seconds. Build secrets reach neither the image, the log nor a process list.
    """

    kind: ClassVar[str]

    @abstractmethod
    def detect(self, tree: Path) -> bool:
        """Whether this builder can build the tree. No I/O beyond looking at file names and small manifests."""

    @abstractmethod
    def generated_dockerfile(self, tree: Path, spec: BuildSpec) -> str | None:
        """The Dockerfile this builder would use, shown to the user; None when the tree's own is used."""

    @abstractmethod
    async def build(self, tree: Path, spec: BuildSpec, *, tag: str, labels: Sequence[str], report: Report) -> Image:
        """Build the tree and return the image, tagged `tag` and labelled with `labels` (`key=value`)."""
