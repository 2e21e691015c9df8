"""A small file system with this machine's Python in it, for images that need nothing from a registry."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

PYTHON = "/python"
"""What containers run; a link to the interpreter, which keeps its place so that it finds its library."""

_LIST_MODULES = """
import importlib, json, os, pathlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
import encodings.ascii, encodings.idna, encodings.latin_1
modules = list(sys.modules.values())
files = [getattr(module, name, None) for module in modules for name in ("__file__", "__cached__")]
print(json.dumps([sys._base_executable, sys.base_prefix, [name for name in files if name and os.path.exists(name)]]))
"""
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def write_python_tree(archive: Path, modules: Sequence[str]) -> None:
    """Write a tar archive with the interpreter, the standard modules named with all they import, and the C library."""
    command = [_base_python(), "-I", "-S", "-c", _LIST_MODULES, *modules]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    interpreter, prefix, found = json.loads(listed)
    files = {interpreter, str(Path(interpreter).resolve()), *found, *_landmarks(prefix)}
    binaries = [name for name in files if name == interpreter or ".so" in Path(name).name]
    files |= {library for name in binaries for library in _libraries(name)}
    with tarfile.open(archive, "w") as tar:
        for name in sorted(files):
            _add(tar, name)
        link = tarfile.TarInfo(PYTHON.lstrip("/"))
        link.type, link.linkname = tarfile.SYMTYPE, interpreter
        tar.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)


def _base_python() -> str:
    """The interpreter outside of any virtual environment."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = Path(sys.base_prefix, "bin", version)
    return str(found) if found.exists() else shutil.which(version) or sys.executable


def _landmarks(prefix: str) -> list[str]:
    """Files by which the interpreter recognises its library."""
    library = Path(prefix, "lib", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return [str(file) for file in (library / "os.py", library / "lib-dynload") if file.exists()]


def _libraries(binary: str) -> list[str]:
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False, timeout=60).stdout
    return _LIBRARY.findall(listed)


def _add(tar: tarfile.TarFile, name: str) -> None:
    """A file by the name it is opened by, links followed; a folder is added empty."""
    path = Path(name)
    entry = tarfile.TarInfo(name.lstrip("/"))
    if path.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
        return
    content = path.read_bytes()
    entry.size, entry.mode = len(content), 0o755
    entry.mtime = int(path.stat().st_mtime)  # compiled modules are good for the source of this time only
    tar.addfile(entry, BytesIO(content))
