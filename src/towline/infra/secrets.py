"""Sealing of secrets at rest: AES-256-GCM with keys from a file outside the database."""

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from towline.errors import KeyMismatch
from towline.infra.key_file import KEY_ID_LENGTH, KeyFile, SealingKey

_VERSION = b"\x01"
_NONCE_LENGTH = 12


class SecretBox:
    """Seals and opens values; the first key of the file seals, every key opens (so keys can be rotated).

    A sealed value is a version byte, the key's identifier, the nonce and the ciphertext; the first ones made had no
    version byte, and still open. The file is looked at before every sealing, and when a value names an unknown key:
    so nothing is sealed with a key once another has taken its place, and no process meets a key it cannot know.
    """

    def __init__(self, file: KeyFile) -> None:
        self.file = file
        self._stamp = file.stamp()
        self._ciphers: dict[bytes, AESGCM] = {}
        self._keys: Sequence[SealingKey] = ()
        self._read()

    @property
    def active_key_id(self) -> str:
        """Identifier of the key that seals, in hex."""
        return self.list_keys()[0].identifier.hex()

    def list_keys(self) -> Sequence[SealingKey]:
        """The keys of the file as it is now, the one that seals first."""
        self._look()
        return self._keys

    def seal(self, value: str | bytes, *, context: str = "") -> bytes:
        """Encrypt a value; `context` (such as `variable:svc_…`) must be given again to open it."""
        plain = value.encode() if isinstance(value, str) else value
        active = self.list_keys()[0].identifier
        nonce = secrets.token_bytes(_NONCE_LENGTH)
        return _VERSION + active + nonce + self._ciphers[active].encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, *, context: str = "") -> bytes:
        """Decrypt a sealed value; KeyMismatch when no key fits or the value was changed or moved."""
        key_id, rest = self._split(sealed)
        nonce, text = rest[:_NONCE_LENGTH], rest[_NONCE_LENGTH:]
        try:
            return self._ciphers[key_id].decrypt(nonce, text, context.encode())
        except (InvalidTag, ValueError) as error:
            raise KeyMismatch("A sealed secret was changed or belongs to another place.") from error

    def open_text(self, sealed: bytes, *, context: str = "") -> str:
        """The same as text."""
        return self.open(sealed, context=context).decode()

    def is_current(self, sealed: bytes) -> bool:
        """Whether a value is sealed with the key that seals now, in the newest form."""
        return sealed.startswith(self.prefix())

    def prefix(self) -> bytes:
        """What every value begins with that is sealed now."""
        return _VERSION + self.list_keys()[0].identifier

    def older_prefixes(self) -> dict[bytes, str]:
        """What values can begin with that open but are not sealed as they would be now; and the hex id of their key."""
        keys = self.list_keys()
        versioned = {_VERSION + key.identifier: key.identifier.hex() for key in keys[1:]}
        return versioned | {key.identifier: key.identifier.hex() for key in keys}

    def _split(self, sealed: bytes) -> tuple[bytes, bytes]:
        """The key's identifier and what follows it."""
        for is_last in (False, True):
            for start in (1, 0) if sealed.startswith(_VERSION) else (0,):
                key_id = sealed[start : start + KEY_ID_LENGTH]
                if key_id in self._ciphers:
                    return key_id, sealed[start + KEY_ID_LENGTH :]
            if is_last or not self._look():
                break
        raise KeyMismatch("A secret was sealed with a key that the key file does not hold.")

    def _look(self) -> bool:
        """Read the file when it is another than before; whether it was."""
        if self.file.stamp() == self._stamp:
            return False
        self._read()
        return True

    def _read(self) -> None:
        # The stamp first: a file that changes while it is read is read again next time.
        self._stamp, self._keys = self.file.stamp(), self.file.read()
        self._ciphers = {key.identifier: AESGCM(key.key) for key in self._keys}


def load_secret_box(path: Path) -> SecretBox:
    """Open the key file, making it with one fresh key (mode 0600) when there is none; safe for two starts at once.

    KeyMismatch when it holds no key, or others may read it.
    """
    file = KeyFile(path)
    file.create()
    file.check_mode()
    return SecretBox(file)


def hash_token(token: str) -> str:
    """SHA-256 in hex of a random token (API key, session): enough, since such tokens have ≥ 190 bits of entropy."""
    return hashlib.sha256(token.encode()).hexdigest()
