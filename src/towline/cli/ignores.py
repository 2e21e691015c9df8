"""Which files of a folder belong to a deployment: .gitignore as git reads it, .dockerignore as Docker does."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec, PathSpec
from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.basic import GitIgnoreBasicPattern

from towline.errors import InvalidInput

_NEVER: Final = frozenset({".git", ".towline"})
_ALWAYS: Final = frozenset({".dockerignore", "towline.yaml"})


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules of one .gitignore; `base` is where it lies, relative to the outermost folder ("" or "a/b/")."""

    base: str
    spec: GitIgnoreSpec


def list_files(folder: Path, *, dockerfile: str = "Dockerfile", uses_dockerignore: bool = True) -> list[str]:
    """Files and links of a folder that belong to a deployment, relative and sorted; folders are implied.

    Left out: `.git`, `.towline`, what git ignores, and what `.dockerignore` at the top leaves out (BuildKit would not
    see it either; pass `uses_dockerignore=False` where the build context is another folder). The Dockerfile is kept.
    """
    prefix, rules = _outer_rules(folder)
    docker = _docker_rules(folder) if uses_dockerignore else None
    kept = _ALWAYS | {dockerfile, f"{dockerfile}.dockerignore"}
    files = [
        name
        for name in _walk(folder, "", prefix=prefix, rules=rules)
        if name in kept or docker is None or not docker.match_file(name)
    ]
    return sorted(files)


def _walk(folder: Path, inside: str, *, prefix: str, rules: tuple[_Rules, ...]) -> Iterator[str]:
    rules = (*rules, *_rules_of(folder / inside / ".gitignore", prefix + inside))
    with os.scandir(folder / inside) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = inside + entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name in _NEVER or _is_ignored(prefix + name, is_folder=is_folder, rules=rules):
            continue
        if is_folder:
            yield from _walk(folder, name + "/", prefix=prefix, rules=rules)
        elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
            yield name


def _is_ignored(path: str, *, is_folder: bool, rules: tuple[_Rules, ...]) -> bool:
    """The innermost .gitignore that says anything decides (gitignore(5))."""
    for rule in reversed(rules):
        verdict = rule.spec.check_file(path[len(rule.base) :] + ("/" if is_folder else "")).include
        if verdict is not None:
            return verdict
    return False


def _outer_rules(folder: Path) -> tuple[str, tuple[_Rules, ...]]:
    """The rules of the folders above, up to the repository's top, and the folder's path below that top."""
    top = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
    prefix = folder.relative_to(top).as_posix() + "/" if top != folder else ""
    rules = [*_rules_of(top / ".git" / "info" / "exclude", "")]
    place = ""
    for part in prefix.split("/")[:-1]:
        rules += _rules_of(top / place / ".gitignore", place)
        place += part + "/"
    return prefix, tuple(rules)


def _rules_of(path: Path, base: str) -> list[_Rules]:
    lines = _lines(path)
    try:
        return [_Rules(base, GitIgnoreSpec.from_lines(lines))] if lines else []
    except GitIgnorePatternError as error:
        raise InvalidInput(f"{path} has a pattern that cannot be read: {error}.") from error


def _docker_rules(folder: Path) -> PathSpec[GitIgnoreBasicPattern] | None:
    """Docker's rules as gitignore patterns: always from the top, the last one that fits decides.

    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    path = folder / ".dockerignore"
    patterns = list(_docker_patterns(_lines(path)))
    try:
        return PathSpec.from_lines(GitIgnoreBasicPattern, patterns) if patterns else None
    except GitIgnorePatternError as error:
        raise InvalidInput(f"{path} has a pattern that cannot be read: {error}.") from error


def _docker_patterns(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        sign = "!" if text.startswith("!") else ""
        pattern = os.path.normpath(text.removeprefix("!").strip().lstrip("/") or ".")
        yield from [f"{sign}/**"] if pattern == "." else [f"{sign}/{pattern}", f"{sign}/{pattern}/**"]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="surrogateescape").splitlines()
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
        return []
