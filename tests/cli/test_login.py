"""Signing this machine in and out, and setting up the providers that people sign in with."""

import io
import json
import stat
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.client.stub_state import API_KEY, StubState

from towline.errors import Forbidden, NotFound, ProviderUnavailable, TimedOut, Unauthenticated


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where keys are kept."""
    return tmp_path / "home" / "xdg_config_home" / "towline" / "credentials.json"


def test_login_waits_for_the_approval_and_logout_revokes_the_key(
    run: Run, server_url: str, state: StubState, kept: Path
) -> None:
    result = run("login", f"{server_url}/")
    assert result.code == 0, result.err
    assert "http://towline.localhost/device?code=WDJB-MJHT" in result.err
    assert API_KEY not in result.out + result.err
    assert "ann@example.com" in result.out
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["servers"][server_url]["key_id"] == "key_own"
    assert run("projects").code == 0
    assert "It is revoked." in run("logout").out
    assert state.deleted_keys == ["key_own"]
    assert run("projects").code == Unauthenticated.exit_code
    assert run("logout").code == NotFound.exit_code


@pytest.mark.parametrize(("answer", "error"), [("denied", Forbidden), ("expired", TimedOut)])
def test_login_keeps_nothing_when_it_is_not_approved(
    run: Run, server_url: str, state: StubState, kept: Path, *, answer: str, error: type[Exception]
) -> None:
    state.device_answers = ["pending", answer]
    assert run("login", server_url).code == getattr(error, "exit_code", 0)
    assert not kept.exists()


def test_login_with_a_key_checks_and_keeps_it_and_logout_only_forgets_it(
    run: Run, server_url: str, state: StubState, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
    assert run("login", server_url, "--with-key").code == Unauthenticated.exit_code
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{API_KEY}\n"))
    result = run("login", f"{server_url}/", "--with-key")
    assert (result.code, API_KEY in result.out) == (0, False)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run("config", "--json").json["signed_in_as"] == "ann@example.com"
    assert "still works" in run("logout", server_url).out
    assert state.deleted_keys == []
    assert run("projects").code == Unauthenticated.exit_code


def test_providers_are_set_up_changed_and_tested(towline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    options = ("--kind", "oidc", "--client-id", "towline", "--issuer", "https://sso.example.com", "--trusted")
    added = towline("providers", "add", "company", *options, "--domain", "example.com")
    assert "http://towline.localhost/sign-in/with/company/callback" in added.out
    assert "hunter2" not in added.out
    assert "company" in towline("providers").out
    assert towline("providers", "test", "company").code == 0
    assert towline("providers", "update", "company", "--disabled", "--json").json["is_enabled"] is False
    assert towline("providers", "test", "company").code == ProviderUnavailable.exit_code
    assert towline("providers", "delete", "company", "--yes").code == 0
    assert towline("providers", "list").out == "No identity provider.\n"
