"""Sources of other packages: found by their entry points, and left out by name where they are broken."""

import asyncio
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sources.conftest import Reported

from towline.errors import InvalidInput
from towline.sources.base import FetchRequest
from towline.sources.installed import GROUP, load_installed_sources
from towline.storage.local import LocalStorage

_EXAMPLE = Path(__file__).parents[2] / "examples" / "towline-source-inline"
_MODULE = """
from towline.sources.custom import CustomSource

class Good(CustomSource):
    kind = "good"

class Misnamed(CustomSource):
    kind = "another"

def fails(store_tree, scratch_dir):
    raise RuntimeError("no such thing")

def gives_nothing(store_tree, scratch_dir):
    return None
"""


def install(folder: Path, name: str, entries: dict[str, str]) -> None:
    """A package as an installer leaves it, with entry points of the group."""
    described = folder / f"{name}-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{GROUP}]", *(f"{kind} = {target}" for kind, target in entries.items())]
    (described / "entry_points.txt").write_text("\n".join(lines) + "\n")


def test_a_broken_source_is_named_and_left_out(
    tmp_path: Path, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "foreign_sources.py").write_text(_MODULE)
    broken = {
        "misnamed": "foreign_sources:Misnamed",
        "failing": "foreign_sources:fails",
        "nothing": "foreign_sources:gives_nothing",
        "missing": "foreign_sources:Missing",
        "absent": "no_such_module_at_all:Source",
        "git": "foreign_sources:Good",
    }
    install(tmp_path, "some-sources", {"good": "foreign_sources:Good", **broken})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = load_installed_sources(storage.store_tree, tmp_path / "scratch", taken={"git", "custom"})
    assert [source.kind for source in found] == ["good"]
    for name in broken:
        assert f"The source {name!r} of the package some-sources is left out" in caplog.text
    assert load_installed_sources(storage.store_tree, tmp_path / "scratch", taken={"good"}) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_the_example_package_is_installed_and_fetches(
    tmp_path: Path, storage: LocalStorage, report: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "site"), str(_EXAMPLE)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=150)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    assert importlib.metadata.version("towline-source-inline") == "1.0.0"
    (source,) = load_installed_sources(storage.store_tree, tmp_path / "scratch", taken=())
    config = {"files": {"Dockerfile": "FROM busybox\n", "www/index.html": "hello"}}
    bundle = await source.fetch_source(FetchRequest(source.validate_config(config)), report)
    async with storage.open_bundle(bundle.digest) as tree:
        assert (tree / "www" / "index.html").read_text() == "hello"
    for files in ({}, {"../up": ""}, {"/root": ""}, {"Dockerfile": 3}, "Dockerfile"):
        with pytest.raises(InvalidInput):
            source.validate_config({"files": files})
