"""The data folder."""

import os
from pathlib import Path

import pytest

from towline.errors import Conflict, Forbidden, InvalidInput
from towline.supervise.installation import get_installation
from towline.supervise.layout import Layout
from towline.supervise.logs import bound_log, read_tail


def test_folders_are_closed_inside_and_passable_outside(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    modes = {name: (layout.root / name).stat().st_mode & 0o777 for name in ("run", "keys", "logs", "traefik")}
    assert modes == {"run": 0o711, "keys": 0o700, "logs": 0o700, "traefik": 0o700}


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").touch()
    with pytest.raises(Conflict, match="not empty"):
        Layout(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


@pytest.mark.parametrize("depth", [1, 5, 12, 20])
def test_socket_paths_fit_however_deep_the_data_folder_lies(depth: int) -> None:
    layout = Layout(Path("/srv").joinpath(*["deeper-and-deeper"] * depth))
    assert len(os.fsencode(layout.sockets / "postgres" / ".s.PGSQL.5432")) <= 107


def test_an_overlong_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("a") as writer:
        writer.write("old\n" * 100)
        writer.flush()
        bound_log(log, largest=100)
        writer.write("new\n")
        writer.flush()
    assert read_tail(log) == ["new"]
    assert (tmp_path / "part.log.1").read_text() == "old\n" * 100


def test_a_file_is_refused_as_a_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="cannot be made: Not a directory"):
        Layout(tmp_path / "file").prepare()
    with pytest.raises(Forbidden, match="cannot be read: Not a directory"):
        get_installation(Layout(tmp_path / "file"))
