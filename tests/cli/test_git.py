"""`towline git-remote` and `git-credential`: where a service is pushed to, and with which key."""

import io
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.client.stub_state import API_KEY, StubState

from towline.errors import Conflict, InvalidInput


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_a_remote_is_shown_and_added(towline: Run, state: StubState, folder: Path, server_url: str) -> None:
    towline("projects", "create", "shop")
    towline("services", "create", "web", "--project", "shop")
    refused = towline("git-remote", "shop/web")
    assert (refused.code, "--take-pushes" in refused.err) == (Conflict.exit_code, True)
    url = f"{server_url}/git/shop/web.git"
    assert towline("git-remote", "shop/web", "--take-pushes", "--json").json == {"url": url}
    assert state.services["shop", "web"].source.type == "push"
    outside = towline("git-remote", "shop/web", "--add")
    assert (outside.code, "Run it in a git repository." in outside.err) == (InvalidInput.exit_code, True)
    git(folder, "init", "--quiet")
    assert towline("git-remote", "shop/web", "--add").out.strip() == url
    assert git(folder, "remote", "get-url", "towline") == url
    assert git(folder, "config", f"credential.{server_url}.helper") == "!towline git-credential"


def test_git_gets_the_key_for_the_own_server_alone(
    towline: Run, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol, _, host = server_url.partition("://")
    for asked, told in (
        (f"protocol={protocol}\nhost={host}\n", f"username=towline\npassword={API_KEY}\n"),
        ("protocol=https\nhost=git.example.com\n", ""),
        ("", ""),
    ):
        monkeypatch.setattr("sys.stdin", io.StringIO(asked))
        answer = towline("git-credential", "get")
        assert (answer.code, answer.out) == (0, told)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"protocol={protocol}\nhost={host}\n"))
    assert towline("git-credential", "store").out == ""
