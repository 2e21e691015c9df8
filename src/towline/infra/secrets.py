"""Sealing of secrets at rest: AES-256-GCM with keys from a file outside the database."""

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from towline.errors import KeyMismatch

_HEADER = "towline-key-1"
_KEY_ID_LENGTH = 8
_NONCE_LENGTH = 12


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One 256-bit key and the first 8 bytes of its SHA-256, which sealed values name it by."""

    identifier: bytes
    key: bytes


class SecretBox:
    """Seals and opens values; the first key of the file seals, every key opens (so keys can be rotated)."""

    def __init__(self, keys: tuple[SealingKey, ...]) -> None:
        self._keys = {key.identifier: AESGCM(key.key) for key in keys}
        self._active = keys[0]

    @property
    def active_key_id(self) -> str:
        """Identifier of the key that seals, in hex."""
        return self._active.identifier.hex()

    def seal(self, value: str | bytes, *, context: str = "") -> bytes:
        """Encrypt a value; `context` (such as `variable:svc_…`) must be given again to open it."""
        plain = value.encode() if isinstance(value, str) else value
        nonce = secrets.token_bytes(_NONCE_LENGTH)
        sealed = self._keys[self._active.identifier].encrypt(nonce, plain, context.encode())
        return self._active.identifier + nonce + sealed

    def open(self, sealed: bytes, *, context: str = "") -> bytes:
        """Decrypt a sealed value; KeyMismatch when no key fits or the value was changed or moved."""
        cipher = self._keys.get(sealed[:_KEY_ID_LENGTH])
        if cipher is None:
            raise KeyMismatch("A secret was sealed with a key that the key file does not hold.")
        nonce = sealed[_KEY_ID_LENGTH : _KEY_ID_LENGTH + _NONCE_LENGTH]
        try:
            return cipher.decrypt(nonce, sealed[_KEY_ID_LENGTH + _NONCE_LENGTH :], context.encode())
        except InvalidTag as error:
            raise KeyMismatch("A sealed secret was changed or belongs to another place.") from error

    def open_text(self, sealed: bytes, *, context: str = "") -> str:
        """The same as text."""
        return self.open(sealed, context=context).decode()


def load_secret_box(path: Path) -> SecretBox:
    """Read the key file, making it with one fresh key (mode 0600) when there is none; safe for two starts at once."""
    if not path.exists():
        _create_key_file(path)
    keys = tuple(_read_key(line) for line in path.read_text().splitlines() if line.startswith(_HEADER))
    if not keys:
        raise KeyMismatch(f"The key file {path} holds no key.")
    return SecretBox(keys)


def hash_token(token: str) -> str:
    """SHA-256 in hex of a random token (API key, session): enough, since such tokens have ≥ 190 bits of entropy."""
    return hashlib.sha256(token.encode()).hexdigest()


def _create_key_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    line = f"{_HEADER} {base64.b64encode(secrets.token_bytes(32)).decode()}\n"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _read_key(line: str) -> SealingKey:
    key = base64.b64decode(line.split()[1])
    return SealingKey(hashlib.sha256(key).digest()[:_KEY_ID_LENGTH], key)
