"""The bundled example: a page and the machine's own static busybox, as an archive that deploys like everyone's code."""

import io
import tarfile
from importlib.resources import files
from pathlib import Path
from typing import Final

EXAMPLE: Final = "hello"
"""Name of its project and of its service."""

EXAMPLE_PORT: Final = 8080
BUSYBOX: Final = Path("/bin/busybox")
_ELF_INTERPRETER: Final = b"/lib64/ld-linux", b"/lib/ld-linux", b"/lib/ld-musl"


def pack_example(program: Path) -> bytes:
    """The example's folder and its program as a tar archive; the same bytes each time."""
    folder, buffer = files("towline") / "examples" / EXAMPLE, io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("Dockerfile", "index.html"):
            _add(tar, name, (folder / name).read_bytes(), mode=0o644)
        _add(tar, "busybox", program.read_bytes(), mode=0o755)
    return buffer.getvalue()


def is_static(program: Path) -> bool:
    """Whether a program runs in an image that holds nothing else: it names no dynamic loader."""
    if not program.exists():
        return False
    with program.open("rb") as file:
        head = file.read(4096)
    return head.startswith(b"\x7fELF") and not any(loader in head for loader in _ELF_INTERPRETER)


def _add(tar: tarfile.TarFile, name: str, content: bytes, *, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
