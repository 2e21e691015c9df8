"""`towline login` against a whole Towline: the command line asks, a person approves in the browser."""

import json
import os
import re
import secrets
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from tests.running import RunningTowline

from towline.client.transport import LocalhostTransport
from towline.contract.base import API_PREFIX

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.timeout(120)]


def _command(towline: RunningTowline, home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **towline.environment, "HOME": str(home)}
    for name in ("TOWLINE_URL", "TOWLINE_API_KEY", "TOWLINE_DATA_DIR", "XDG_CONFIG_HOME"):
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-m", "towline", *arguments],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(towline: RunningTowline, home: Path, *arguments: str) -> tuple[int, str]:
    with _command(towline, home, *arguments) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def _sign_in(towline: RunningTowline, browser: httpx2.Client) -> None:
    """Let a browser have the cookie of a new user's session."""
    password, email = secrets.token_urlsafe(16), "device@example.com"
    admin = {"Authorization": f"Bearer {towline.api_key}"}
    made = browser.post(f"{API_PREFIX}/users", json={"email": email, "name": "Dee"}, headers=admin)
    assert made.status_code == 201, made.text
    token = made.json()["link"].rpartition("/")[2]
    chosen = browser.post(f"{API_PREFIX}/password-reset/finish", json={"token": token, "password": password})
    assert chosen.is_success, chosen.text
    answer = browser.post(f"{API_PREFIX}/sessions", json={"email": email, "password": password})
    assert answer.status_code == 201, answer.text


def test_a_machine_is_signed_in_by_the_browser_and_out_again(towline: RunningTowline, tmp_path: Path) -> None:
    url = towline.client.connection.base_url
    browser = httpx2.Client(transport=LocalhostTransport(), base_url=url, headers={"Origin": url})
    _sign_in(towline, browser)
    with closing(browser), _command(towline, tmp_path, "login", url) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        address = re.search(r"http\S+/device\?code=\S+", line)
        assert address is not None, line
        page = browser.get(address[0])
        assert "CLI on" in page.text, page.text
        form = {"code": address[0].partition("code=")[2], "decision": "approve"}
        assert "is signed in" in browser.post("/device", data=form).text
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
    assert "device@example.com" in out
    kept = json.loads((tmp_path / ".config" / "towline" / "credentials.json").read_text())
    key = kept["servers"][url]["api_key"]
    assert key not in out + err
    assert _run(towline, tmp_path, "projects")[0] == 0
    code, said = _run(towline, tmp_path, "logout")
    assert (code, "It is revoked." in said) == (0, True)
    with httpx2.Client(transport=LocalhostTransport(), base_url=url) as program:
        refused = program.get(f"{API_PREFIX}/account", headers={"Authorization": f"Bearer {key}"})
    assert refused.status_code == 401
