"""Small files of a tree that tell what it is, read without ever leaving it."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

_LIMIT: Final = 1024 * 1024
_ALWAYS_IGNORED: Final = (
    ".git", ".hg", ".svn", "**/node_modules", "**/__pycache__", ".venv", "venv", "**/.DS_Store",
)  # fmt: skip


def read_manifest(folder: Path, name: str) -> str:
    """The text of a file; empty when it is missing, larger than 1 MB, or a link that leads outside the folder."""
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file() or path.stat().st_size > _LIMIT:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, RuntimeError):
        return ""


def read_json(folder: Path, name: str) -> Mapping[str, Any]:
    """The object in a JSON file; empty when there is none."""
    try:
        found: object = json.loads(read_manifest(folder, name) or "{}")
    except (ValueError, RecursionError):
        return {}
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def read_toml(folder: Path, name: str) -> Mapping[str, Any]:
    """The tables of a TOML file; empty when there is none."""
    try:
        return tomllib.loads(read_manifest(folder, name))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def table(source: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The table at `path`; empty when it, or anything on the way, is something else."""
    found: object = source
    for name in path:
        found = cast("Mapping[str, object]", found).get(name) if isinstance(found, dict) else None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def existing(folder: Path, *names: str) -> list[str]:
    """Those of the names that are files in the folder."""
    return [name for name in names if (folder / name).is_file()]


def first_version(text: str) -> str:
    """The leading version such as `3.12` or `20` in `3.12.4`, `python-3.12`, `v20.1`, `^20`; empty for a range."""
    match = re.match(r"\s*(?:python-|node/|v|[\^~=])?\s*(\d+(?:\.\d+)?)", text)
    return match[1] if match else ""


def ignore_rules(folder: Path, *, needed: Sequence[str] = (), hidden: Sequence[str] = ()) -> str:
    """A .dockerignore: what never belongs into an image, then the tree's own rules, then what the recipe copies."""
    own = read_manifest(folder, ".dockerignore").splitlines()
    wanted = [rule for name in needed for rule in (f"!{name}", f"!{name}/**")]
    return "\n".join([*_ALWAYS_IGNORED, *hidden, *own, *wanted, ""])
