"""Sealed values: bound to their place, opened by every key of the file, sealed by the newest at once everywhere."""

import base64
import hashlib
import os
import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from towline.errors import KeyMismatch
from towline.infra.key_file import KeyFile
from towline.infra.secrets import SecretBox, load_secret_box


def _add(box: SecretBox) -> None:
    assert box.file.add(instead_of=box.list_keys()[0].identifier)


def test_a_value_opens_only_in_its_place_and_unchanged(tmp_path: Path) -> None:
    box = load_secret_box(tmp_path / "keys" / "secrets.key")
    sealed = box.seal("s3cret", context="variable:1")
    assert box.open_text(sealed, context="variable:1") == "s3cret"
    assert b"s3cret" not in sealed
    assert box.seal("s3cret", context="variable:1") != sealed
    for wrong, context in ((sealed, "variable:2"), (sealed[:-1] + b"x", "variable:1"), (sealed[:12], "variable:1")):
        with pytest.raises(KeyMismatch, match="changed or belongs to another place"):
            box.open(wrong, context=context)
    for foreign in (b"", b"\x01", b"x" * 60, b"\x01" + b"x" * 60):
        with pytest.raises(KeyMismatch, match="does not hold"):
            box.open(foreign)


def test_values_of_the_first_form_still_open(tmp_path: Path) -> None:
    path, key, nonce = tmp_path / "secrets.key", secrets.token_bytes(32), secrets.token_bytes(12)
    path.touch(0o600)
    path.write_text(f"towline-key-1 {base64.b64encode(key).decode()}\n")
    old = hashlib.sha256(key).digest()[:8] + nonce + AESGCM(key).encrypt(nonce, b"kept", b"registry:1")
    box = load_secret_box(path)
    assert box.open(old, context="registry:1") == b"kept"
    assert not box.is_current(old)
    assert box.is_current(box.seal("x"))


def test_another_process_meets_no_value_it_cannot_open_and_seals_with_the_new_key_at_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    one, other = load_secret_box(path), load_secret_box(path)
    old = one.seal("old")
    _add(one)
    assert other.open_text(one.seal("new")) == "new"
    assert other.is_current(other.seal("x"))
    assert not other.is_current(old)
    assert other.open_text(old) == "old"
    one.file.drop([key.identifier for key in one.list_keys()])
    assert len(one.list_keys()) == 1
    assert other.is_current(other.seal("x"))
    with pytest.raises(KeyMismatch, match="does not hold"):
        other.open(old)


def test_only_one_of_two_rotations_at_once_takes_place(tmp_path: Path) -> None:
    box = load_secret_box(tmp_path / "secrets.key")
    first = box.list_keys()[0].identifier
    assert [box.file.add(instead_of=first), box.file.add(instead_of=first)] == [True, False]
    assert len(box.list_keys()) == 2
    assert box.list_keys()[1].identifier == first


def test_the_key_file_is_its_owners_alone_whatever_happens_to_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secrets.key"
    before = os.umask(0)
    try:
        box = load_secret_box(path)
        _add(box)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["secrets.key"]
    path.chmod(0o640)
    with pytest.raises(KeyMismatch, match="open to others") as caught:
        load_secret_box(path)
    assert f"chmod 600 {path}" in caught.value.hint


@pytest.mark.parametrize("content", ["", "nothing\n", "towline-key-1\n", "towline-key-1 AAAA\n", "towline-key-1 *\n"])
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.key"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(KeyMismatch, match=r"holds no key|is damaged"):
        load_secret_box(path)


def test_nothing_is_sealed_without_a_key_file(tmp_path: Path) -> None:
    box = load_secret_box(tmp_path / "secrets.key")
    sealed = box.seal("x")
    box.file.path.unlink()
    assert box.open_text(sealed) == "x"
    with pytest.raises(KeyMismatch, match="cannot be read"):
        box.seal("y")


def test_two_installations_have_no_key_in_common(tmp_path: Path) -> None:
    boxes = [load_secret_box(tmp_path / name / "secrets.key") for name in ("one", "two")]
    assert boxes[0].active_key_id != boxes[1].active_key_id
    with pytest.raises(KeyMismatch):
        boxes[1].open(boxes[0].seal("x"))
    assert KeyFile(boxes[0].file.path).read() != KeyFile(boxes[1].file.path).read()
