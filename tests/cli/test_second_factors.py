"""`towline account totp | passkeys | recovery-codes`: each change signs in for it, and out again."""

import io

import pytest
from tests.cli.conftest import Run
from tests.client.stub_second_factors import CODE, CODES


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """What comes on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_one_time_codes_are_set_up_with_password_and_second_factor(
    towline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "password", CODE, "654321")
    done = towline("account", "totp", "on")
    assert done.code == 0, done.err
    assert "otpauth://totp/x?secret=SECRET" in done.err
    assert "SECRET" not in done.out
    assert done.out.splitlines()[:2] == CODES
    typed(monkeypatch, "password", CODES[0], "654321")
    assert towline("account", "totp", "on", "--json").json == {"recovery_codes": CODES}


def test_a_wrong_second_factor_changes_nothing(towline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "password", "000000")
    refused = towline("account", "totp", "off", "--yes")
    assert (refused.code, "The code is wrong" in refused.err, refused.out) == (3, True, "")


def test_factors_are_shown_changed_and_deleted(towline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "7" in towline("account", "totp").out
    assert "Laptop" in towline("account", "passkeys").out
    for arguments, said in (
        (("totp", "off", "--yes"), "One-time codes are off"),
        (("recovery-codes", "--yes"), CODES[1]),
        (("passkeys", "rename", "psk_1", "Key ring"), "Key ring"),
        (("passkeys", "delete", "psk_1", "--yes"), "Deleted the passkey psk_1"),
    ):
        typed(monkeypatch, "password", CODE)
        done = towline("account", *arguments)
        assert (done.code, said in done.out) == (0, True), done.err


def test_an_administrator_takes_lost_factors_away(towline: Run) -> None:
    asked = towline("users", "reset-factors", "usr_1")
    assert (asked.code, "ann@example.com" in asked.err) == (2, True)
    assert "ann@example.com signs in without" in towline("users", "reset-factors", "usr_1", "--yes").out
