"""The docker client's configuration of one build."""

import base64
import json
from pathlib import Path

import pytest

from towline.builders.client_config import client_config, write_client_config
from towline.values import Credential


def test_a_build_gets_the_project_s_registries_and_no_login_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "host"
    (host / "cli-plugins").mkdir(parents=True)
    proxies = {"default": {"httpProxy": "http://proxy:3128"}}
    (host / "config.json").write_text(
        json.dumps({"auths": {"ghcr.io": {"auth": "secret"}}, "credsStore": "desktop", "proxies": proxies})
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(host))

    write_client_config(tmp_path / "build", {"r.example:5000": Credential("ann", "geheim ü")})

    written = json.loads((tmp_path / "build" / "config.json").read_text())
    login = base64.b64encode("ann:geheim ü".encode()).decode()
    assert written == {"auths": {"r.example:5000": {"auth": login}}, "proxies": proxies}
    assert (tmp_path / "build" / "cli-plugins").resolve() == host / "cli-plugins"
    assert (tmp_path / "build" / "config.json").stat().st_mode & 0o077 == 0


def test_docker_hub_has_a_name_of_its_own() -> None:
    assert list(client_config({"docker.io": Credential("ann", "x")})["auths"]) == [  # pyright: ignore[reportArgumentType, reportCallIssue]
        "https://index.docker.io/v1/"
    ]
