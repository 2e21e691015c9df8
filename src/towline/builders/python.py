"""Build Python projects: install from whichever manifest is there, start with the server the framework wants."""

import re
from pathlib import Path
from typing import ClassVar, Final

from towline.builders.buildkit import BuildKit
from towline.builders.generated import GeneratedBuilder, GeneratedFile, argument_lines
from towline.builders.manifests import existing, first_version, read_manifest
from towline.builders.python_start import MAIN_FILES, find_start
from towline.builders.start import Command, command_line, given_command, no_start_command
from towline.values import BuildSpec

_PORT: Final = 8080
_MANIFESTS: Final = ("requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "manage.py")
_PIP: Final = "RUN --mount=type=cache,target=/root/.cache/pip pip install"
_UV: Final = "RUN --mount=type=cache,target=/root/.cache/uv uv"
# Lines of a requirements file that name other files of the tree (pip's requirements file format).
_NAMES_FILES: Final = re.compile(r"(?m)^\s*(-r|-c|-e|--requirement|--constraint|--editable|\.|/|file:)|@\s*file:")


class PythonBuilder(GeneratedBuilder):
    """Builds Python apps.

    `image` is the base; `{version}` in it becomes the version the project asks for (.python-version, runtime.txt),
    `version` when it asks for none.
    """

    kind: ClassVar[str] = "python"

    def __init__(self, buildkit: BuildKit, *, image: str = "python:{version}-slim", version: str = "3.13") -> None:
        super().__init__(buildkit)
        self._image = image
        self._version = version

    def detect(self, tree: Path) -> bool:
        """Whether there is a manifest of a Python project or one of the usual main files."""
        return bool(existing(tree, *_MANIFESTS, *MAIN_FILES))

    def write(self, folder: Path, spec: BuildSpec) -> GeneratedFile:
        """Install the dependencies first, so that they are cached; then copy the tree."""
        wanted = first_version(read_manifest(folder, ".python-version") or read_manifest(folder, "runtime.txt"))
        copied, install = _install_lines(folder)
        command, server = _start(folder, spec)
        lines = [
            f"FROM {self._image.replace('{version}', wanted or self._version)}",
            "WORKDIR /app",
            "ENV PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1",
            # Only the router reaches an instance from outside, so its forwarded headers can be believed.
            f"ENV PYTHONUNBUFFERED=1 FORWARDED_ALLOW_IPS=* PORT={_PORT}",
            *argument_lines(spec),
            *_with_server(install, server),
            f"EXPOSE {_PORT}",
            command_line(command),
        ]
        return GeneratedFile(lines, copied=copied)


def _start(folder: Path, spec: BuildSpec) -> tuple[Command, str]:
    """The start command, and the server program it needs that the project does not list."""
    if given := given_command(folder, spec):
        return given, ""
    if found := find_start(folder):
        return found
    raise no_start_command(f"a Django manage.py, one of {', '.join(MAIN_FILES)}, or a single [project.scripts] entry")


def _with_server(install: list[str], server: str) -> list[str]:
    """The install instructions and the server's; before the tree is copied where that keeps it in the cache."""
    if not server:
        return install
    if any(line.startswith(_UV) for line in install):
        return [*install, f"{_UV} pip install {server}"]
    where = len(install) - (install[-1] == "COPY . .")
    return [*install[:where], f"{_PIP} {server}", *install[where:]]


def _install_lines(folder: Path) -> tuple[list[str], list[str]]:
    """The manifests copied ahead of the tree, and the instructions that install from them and copy the tree."""
    if "uv.lock" in (copied := existing(folder, "pyproject.toml", "uv.lock")):
        return copied, _uv_lines(copied)
    if "poetry.lock" in (copied := existing(folder, "pyproject.toml", "poetry.lock")):
        return copied, _poetry_lines(copied)
    if copied := existing(folder, "requirements.txt"):
        return copied, _requirements_lines(folder, copied)
    if copied := existing(folder, "Pipfile", "Pipfile.lock"):
        flags = "--system --deploy" if "Pipfile.lock" in copied else "--system --skip-lock"
        return copied, [f"{_PIP} pipenv", _copy(copied), f"RUN pipenv install {flags}", "COPY . ."]
    if copied := existing(folder, "pyproject.toml", "setup.py"):
        return copied, ["COPY . .", f"{_PIP} ."]
    return [], ["COPY . ."]


def _uv_lines(copied: list[str]) -> list[str]:
    return [
        f"{_PIP} uv",
        "ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PATH=/app/.venv/bin:$PATH",
        _copy(copied),
        f"{_UV} sync --frozen --no-dev --no-install-project",
        "COPY . .",
        f"{_UV} sync --frozen --no-dev",
    ]


def _poetry_lines(copied: list[str]) -> list[str]:
    return [
        f"{_PIP} poetry",
        "ENV POETRY_VIRTUALENVS_CREATE=false POETRY_NO_INTERACTION=1",
        _copy(copied),
        "RUN --mount=type=cache,target=/root/.cache/pypoetry poetry install --only main --no-root",
        "COPY . .",
    ]


def _requirements_lines(folder: Path, copied: list[str]) -> list[str]:
    install = f"{_PIP} -r requirements.txt"
    if _NAMES_FILES.search(read_manifest(folder, "requirements.txt")):
        return ["COPY . .", install]
    return [_copy(copied), install, "COPY . ."]


def _copy(names: list[str]) -> str:
    return f"COPY {' '.join(names)} ./"
