"""Sources that other Python packages bring along, found by their entry points."""

import logging
import re
from collections.abc import Callable, Collection
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, cast

from towline.sources.base import Source, StoreTree

GROUP: Final = "towline.sources"
"""The group of entry points; each names a callable that takes `store_tree` and `scratch_dir` and gives a Source."""

_KIND: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_log = logging.getLogger(__name__)


def load_installed_sources(store_tree: StoreTree, scratch_dir: Path, *, taken: Collection[str]) -> list[Source]:
    """The sources of every installed package; one that cannot be used is named in the log and left out."""
    found: dict[str, Source] = {}
    for entry in entry_points(group=GROUP):
        # Foreign code may fail in any way, and must not keep Towline from starting.
        try:
            source = _make(entry, store_tree, scratch_dir, taken={*taken, *found})
        except Exception as error:
            package = entry.dist.name if entry.dist is not None else "?"
            _log.exception("The source %r of the package %s is left out: %s", entry.name, package, error)
            continue
        found[source.kind] = source
    return list(found.values())


def _make(entry: EntryPoint, store_tree: StoreTree, scratch_dir: Path, *, taken: Collection[str]) -> Source:
    make = cast("Callable[[StoreTree, Path], object]", entry.load())
    source = make(store_tree, scratch_dir)
    if not isinstance(source, Source):
        raise TypeError(f"it gives a {type(source).__name__}, which is no Source")
    if not _KIND.fullmatch(source.kind) or source.kind != entry.name:
        raise ValueError(f"its kind {source.kind[:100]!r} is not the name of its entry point, of a-z, 0-9, - and _")
    if source.kind in taken:
        raise ValueError(f"there is a source {source.kind!r} already")
    return source
