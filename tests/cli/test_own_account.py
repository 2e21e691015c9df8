"""`towline account`: what it shows, sends and keeps."""

import io
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.client.stub_state import API_KEY


def test_a_new_password_comes_by_standard_input_and_the_sessions_new_value_is_kept(
    run: Run, server_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{API_KEY}\n"))
    assert run("login", server_url).code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("the old one\nthe new one\n"))
    changed = run("account", "password")
    assert changed.code == 0, changed.err
    assert "tws_" not in changed.out
    (kept,) = (tmp_path / "home").rglob("credentials.json")
    assert json.loads(kept.read_text())["servers"][server_url]["api_key"] == "tws_" + "n" * 43


def test_the_account_and_its_sessions_are_shown_and_changed(towline: Run) -> None:
    assert "ann@example.com" in towline("account").out
    assert towline("account", "update", "--name", "Anna", "--json").json["user"]["name"] == "Anna"
    assert "Firefox on Linux" in towline("account", "sessions").out
    assert towline("account", "sign-out", "--others", "--yes").out == "Ended 2 sessions.\n"
    assert towline("account", "sign-out", "ses_1", "--yes").code == 0
    assert towline("account", "sign-out").code == 2
    assert towline("account", "update").code == 2
