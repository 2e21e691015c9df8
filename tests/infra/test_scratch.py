"""Temporary folders, and what must never be taken for one."""

from pathlib import Path

import pytest

from towline.errors import Unavailable
from towline.infra.scratch import remove_leftovers, scratch_folder


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_folder_in_use_is_kept_and_a_dead_process_s_is_removed(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir()
    async with scratch_folder(tmp_path) as folder:
        remove_leftovers(tmp_path)
        assert names_in(tmp_path) == [folder.name]
    assert names_in(tmp_path) == []


async def test_a_link_in_the_folder_s_place_is_neither_cleaned_nor_used(tmp_path: Path) -> None:
    (tmp_path / "home" / "ann").mkdir(parents=True)
    link = tmp_path / "scratch"
    link.symlink_to(tmp_path / "home")

    assert remove_leftovers(link) == 0
    with pytest.raises(Unavailable):
        async with scratch_folder(link):
            pass
    assert names_in(tmp_path / "home") == ["ann"]
