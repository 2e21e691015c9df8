"""Removing an installation for good: only when it is named, only its own, and all of it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from towline.errors import InvalidInput, NotFound
from towline.supervise.layout import Layout
from towline.supervise.uninstall import find_name, uninstall

_PORTS = {"http": 80, "https": 443, "api": 1, "traefik_api": 2, "internal": 3}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data folder of an installation that does not run."""
    layout = Layout(tmp_path / "data")
    layout.prepare()
    state = {"installation_id": f"twl{token_hex(6)}", "settings": {}, "ports": _PORTS, "format": 1, "example": ""}
    layout.state_file.write_text(json.dumps(state))
    return layout


def test_nothing_is_removed_under_another_name(layout: Layout) -> None:
    assert find_name(layout) == "towline.localhost"
    with pytest.raises(InvalidInput, match=r"'towline\.example\.com' is not the name"):
        uninstall(layout, name="towline.example.com")
    assert layout.state_file.exists()


def test_a_folder_without_towline_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(NotFound, match="There is no Towline in"):
        uninstall(Layout(tmp_path), name="towline.localhost")
    assert (tmp_path / "thesis.txt").exists()


def _docker(*words: str) -> str:
    return subprocess.run(["/usr/bin/docker", *words], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def foreign_image(tmp_path: Path) -> Iterator[str]:
    """An image that an installation gave a name of its own, too."""
    name = f"towline-test-{token_hex(4)}/kept"
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "mark").write_text(name)
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY mark /mark\nCMD ["/mark"]\n')
    _docker("build", "-q", "-t", name, str(folder))
    yield name
    _docker("rmi", "-f", name)


@pytest.mark.docker
def test_what_an_installation_has_in_docker_and_on_disk_goes_and_what_others_have_stays(
    layout: Layout, foreign_image: str
) -> None:
    mine: str = json.loads(layout.state_file.read_text())["installation_id"]
    label = f"towline.instance-of={mine}"
    (layout.postgres / "base").mkdir(parents=True)
    (layout.root / "link").symlink_to("/etc")
    _docker("tag", foreign_image, f"towline-{mine}/shop-web:1")
    _docker("network", "create", "--label", label, mine)
    _docker("volume", "create", "--label", label, mine)
    _docker("create", "--label", label, "--network", mine, "--mount", f"source={mine},target=/data", foreign_image)
    uninstall(layout, name="towline.localhost")
    listings = (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"))
    assert [_docker(*words, "--filter", f"label={label}") for words in listings] == ["", "", ""]
    assert _docker("images", "-q", f"towline-{mine}/*") == ""
    assert _docker("images", "-q", foreign_image) != ""
    assert not layout.root.exists()
    assert Path("/etc/passwd").exists()
