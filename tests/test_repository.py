"""The repository holds no secret: no token of our own form, no sealing key, no private key, no foreign credential."""

import re
import subprocess
from pathlib import Path

from towline.actions.credentials import KEY_PREFIX
from towline.actions.keys import is_token, make_token
from towline.actions.webhook_secrets import HOOK_PREFIX

_ROOT = Path(__file__).parent.parent
_LARGEST = 2 * 1024 * 1024
_TOKEN = re.compile(rf"(?:{KEY_PREFIX}|{HOOK_PREFIX})[0-9A-Za-z]{{39}}(?![0-9A-Za-z])")
_SESSION = re.compile(r"tws_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
_SEALING_KEY = re.compile(r"towline-key-1 [A-Za-z0-9+/]{43}=")
_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{100,}")
_FOREIGN = re.compile(
    r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{60,}|glpat-[0-9A-Za-z_-]{20}"
    r"|xox[abprs]-[0-9A-Za-z-]{20,}|npm_[0-9A-Za-z]{36})\b"
)


def find_secrets(text: str) -> list[str]:
    """What looks like a secret in a text; tokens of our own only with a right checksum."""
    tokens = [token for token in _TOKEN.findall(text) if is_token(token, KEY_PREFIX) or is_token(token, HOOK_PREFIX)]
    patterns = (_SESSION, _SEALING_KEY, _PRIVATE_KEY, _FOREIGN)
    return tokens + [found for pattern in patterns for found in pattern.findall(text)]


def test_no_tracked_file_holds_a_secret() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=_ROOT, check=True, capture_output=True, timeout=30)
    found: dict[str, list[str]] = {}
    for name in listed.stdout.decode().split("\0"):
        path = _ROOT / name
        if not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        secrets = find_secrets(path.read_text(errors="replace"))
        if secrets:
            found[name] = [secret[:12] for secret in secrets]
    assert found == {}


def test_what_is_looked_for_is_found() -> None:
    for prefix in (KEY_PREFIX, HOOK_PREFIX):
        token = make_token(prefix)
        assert find_secrets(f'key = "{token}"') == [token]
        assert find_secrets(f'key = "{token[:-1]}{"a" if token[-1] != "a" else "b"}"') == []
    for secret in ("tws_" + "x" * 43, "towline-key-1 " + "A" * 43 + "=", "AKIA" + "A" * 16, "ghp_" + "a" * 36):
        assert find_secrets(f"before {secret} after") == [secret]
    begin = "-----BEGIN PRIVATE" + " KEY-----"
    assert find_secrets(f"{begin}\n{'QUJD' * 40}\n") != []
