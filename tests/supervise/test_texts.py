"""What is written for other programs: units, argument lists, settings."""

import sys
from pathlib import Path

import pytest

from towline.supervise.databases import find_databases, prepare_databases
from towline.supervise.docker_engine import daemon_arguments
from towline.supervise.installation import Installation, Ports
from towline.supervise.layout import Layout
from towline.supervise.platform_parts import prepare_traefik
from towline.supervise.systemd import is_unit_of, unit_text
from towline.supervise.up import shell_setup


def test_the_unit_leaves_the_servers_alone_and_starts_after_docker() -> None:
    lines = unit_text(["/opt/towline/bin/python", "-m", "towline", "--data", "/srv/100% mine"]).splitlines()
    assert 'ExecStart=/opt/towline/bin/python -m towline --data "/srv/100%% mine"' in lines
    assert {"KillMode=process", "Restart=always", "WantedBy=multi-user.target"} <= set(lines)
    assert "After=network-online.target docker.service" in lines


def test_dockerd_keeps_containers_alive_unless_something_speaks_against_it() -> None:
    dockerd = Path("/usr/sbin/dockerd")
    assert daemon_arguments(dockerd, has_settings=False, has_swarm=False) == ["/usr/sbin/dockerd", "--live-restore"]
    assert daemon_arguments(dockerd, has_settings=True, has_swarm=False) == ["/usr/sbin/dockerd"]
    assert daemon_arguments(dockerd, has_settings=False, has_swarm=True) == ["/usr/sbin/dockerd"]


def test_servers_of_the_users_own_replace_the_embedded_ones(tmp_path: Path) -> None:
    given = {"TOWLINE_DATABASE_URL": "postgresql+asyncpg://db.example.com/t", "TOWLINE_REDIS_URL": "redis://r/0"}
    databases = prepare_databases(Layout(tmp_path / "data"), given)
    assert databases.parts == ()
    assert (databases.database_url, databases.redis_url) == tuple(given.values())
    assert not (tmp_path / "data").exists()


def test_one_server_can_be_replaced_alone(tmp_path: Path) -> None:
    found = find_databases(Layout(tmp_path), {"TOWLINE_REDIS_URL": "redis://r/0"})
    assert found.redis_url == "redis://r/0"
    assert found.database_url.endswith("/run/sockets/postgres")


def test_people_learn_how_a_shell_finds_another_folder_and_a_program_outside_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TOWLINE_DATA_DIR", str(tmp_path / "usual"))
    wanted = f"export PATH={programs}:$PATH TOWLINE_DATA_DIR='{tmp_path}/with space'"
    assert shell_setup(Layout(tmp_path / "with space")) == wanted
    (tmp_path / "towline").touch(mode=0o755)
    assert shell_setup(Layout(tmp_path / "usual")) == ""


def test_traefik_is_adopted_by_whoever_starts_towline_from_another_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    installation = Installation("twl1", {}, Ports(http=80, https=443, api=1, traefik_api=2, internal=3))
    before = prepare_traefik(layout, installation, settings={}).fingerprint
    for name in ("PATH", "HOME", "TZ"):
        monkeypatch.setenv(name, "/elsewhere")
    assert prepare_traefik(layout, installation, settings={}).fingerprint == before
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    assert prepare_traefik(layout, installation, settings={}).fingerprint != before


def test_down_and_uninstall_take_no_unit_that_runs_another_data_folder() -> None:
    text = unit_text(["/opt/towline/bin/python", "-m", "towline", "internal", "supervise", "--data", "/srv/my data"])
    assert is_unit_of(text, Path("/srv/my data"))
    assert not is_unit_of(text, Path("/srv/my"))
    assert not is_unit_of(text, Path("/tmp/srv/my data"))
