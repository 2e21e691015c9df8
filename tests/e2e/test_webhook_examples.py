"""Payloads recorded by GitHub itself: each signed one gets a right answer, each changed one is refused."""

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from towline.sources.base import WebhookEvent
from towline.sources.platforms.github import GITHUB

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

_FOLDER = Path(__file__).parents[1] / "web" / "webhooks"
_SECRET = "examples"


@pytest.fixture(scope="module")
def examples() -> list[tuple[str, bytes]]:
    """Every payload of `@octokit/webhooks-examples` with the name of its event."""
    folder = _installed() / "node_modules" / "@octokit" / "webhooks-examples" / "api.github.com"
    content: list[dict[str, Any]] = json.loads((folder / "index.json").read_text())
    found = [(item["name"], json.dumps(example).encode()) for item in content for example in item["examples"]]
    assert len(found) > 200
    return found


def test_every_recorded_payload_is_read(examples: list[tuple[str, bytes]]) -> None:
    kinds: dict[str, set[str]] = {}
    for name, body in examples:
        event = _read(name, body)
        assert event.delivery_id
        kinds.setdefault(name, set()).add(event.kind)
        if event.kind in {"push", "tag", "pull_request"}:
            assert event.ref.startswith("refs/")
            assert len(event.revision) == 40
            assert event.addresses
    assert kinds["push"] <= {"push", "tag", "branch_deleted"}
    assert kinds["pull_request"] == {"pull_request"}
    assert kinds["ping"] == {"ping"}
    assert all(found == {"ignored"} for name, found in kinds.items() if name not in {"push", "pull_request", "ping"})


def test_one_changed_byte_is_refused(examples: list[tuple[str, bytes]]) -> None:
    for name, body in examples:
        headers = _headers(name, body)
        for position in (0, len(body) // 2, len(body) - 1):
            changed = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
            assert not GITHUB.verify(headers, changed, _SECRET)
        assert not GITHUB.verify(
            {**headers, "x-hub-signature-256": headers["x-hub-signature-256"][:-1] + "g"}, body, _SECRET
        )
        assert not GITHUB.verify(headers, body, "")


def _read(name: str, body: bytes) -> WebhookEvent:
    headers = _headers(name, body)
    assert GITHUB.verify(headers, body, _SECRET)
    return GITHUB.read(headers, body)


def _headers(name: str, body: bytes) -> dict[str, str]:
    signature = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"x-github-event": name, "x-hub-signature-256": f"sha256={signature}", "content-type": "application/json"}


def _installed() -> Path:
    """The packages of the lock file, installed once per lock file."""
    content = (_FOLDER / "package-lock.json").read_bytes()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "towline-tests"
    folder = base / f"webhooks-{hashlib.sha256(content).hexdigest()[:16]}"
    if folder.exists():
        return folder
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as temporary:
        draft = Path(temporary) / "webhooks"
        shutil.copytree(_FOLDER, draft)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=draft, check=True, capture_output=True, timeout=120)
        draft.rename(folder)
    return folder
