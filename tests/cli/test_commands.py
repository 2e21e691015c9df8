"""The other commands against the stub server."""

import io
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.client.stub_state import API_KEY, StubState

from towline.cli.app import main
from towline.errors import InvalidInput, NotFound, Unauthenticated, Unavailable
from towline.supervise.installation import Installation, Ports, save_installation
from towline.supervise.layout import Layout


def test_project_commands(towline: Run, state: StubState) -> None:
    assert "No project yet" in towline("projects").out
    assert towline("projects", "create", "shop", "--description", "The shop", "--json").json["name"] == "shop"
    assert "shop" in towline("projects").out
    assert "healthy" in towline("projects", "status").out
    assert towline("projects", "update", "--project", "shop", "--name", "store").code == 0
    assert "store" in towline("projects", "show", "store").out
    refused = towline("projects", "delete", "store")
    assert (refused.code, "Try: Pass --yes." in refused.err) == (InvalidInput.exit_code, True)
    assert towline("projects", "delete", "store", "--yes").code == 0
    assert not state.projects


def test_service_commands(towline: Run, state: StubState) -> None:
    towline("projects", "create", "shop")
    created = towline(
        *("services", "create", "api", "--project", "shop", "--port", "8080", "--memory", "256M", "--type", "worker"),
        *("--volume", "files:/var/files", "--start-command", "node 'my app.js'", "--build-arg", "A=1=2"),
        *("--set", "drain_seconds=5", "--json"),
    ).json
    assert created["memory_bytes"] == 256_000_000
    assert created["start_command"] == ["node", "my app.js"]
    assert created["build_arguments"] == {"A": "1=2"}
    assert created["volumes"] == [{"name": "files", "path": "/var/files"}]
    assert created["drain_seconds"] == 5
    assert "api" in towline("services", "--project", "shop").out
    assert "shop" in towline("services", "search", "api").out
    assert "No service of that name." in towline("services", "search", "other").out
    assert "node 'my app.js'" in towline("services", "show", "shop/api").out
    assert towline("services", "update", "shop/api", "--health", "command:pg_isready -q").code == 0
    assert state.services[("shop", "api")].health.command == ["pg_isready", "-q"]
    assert towline("services", "delete", "shop/api", "--yes").code == 0


def test_a_domain_is_looked_at(towline: Run) -> None:
    assert "It has no address." in towline("domains", "check", "example.com").out
    moved = towline("domains", "set-base", "example.com", "--even-if-unreachable", "--json").json
    assert (moved["url"], moved["is_restarting"]) == ("http://towline.example.com", True)


def test_former_addresses_of_the_platform_are_listed_and_retired(towline: Run, state: StubState) -> None:
    listed = towline("domains", "former")
    assert (listed.code, "towline.example.net" in listed.out, "towline.localhost" in listed.out) == (0, True, True)
    assert "Try: Pass --yes." in towline("domains", "retire", "towline.example.net").err
    assert towline("domains", "retire", "towline.example.net", "--yes").code == 0
    assert state.calls[-1][0] == "platform.retireFormerHost"


def test_the_platform_itself_says_how_it_is(towline: Run, state: StubState) -> None:
    shown = towline("health", "--platform")
    assert shown.code == 0
    for text in ("PostgreSQL", "18.6", "25.0 GB free of 100.0 GB", "shop/api #3", "behind 2"):
        assert text in shown.out
    state.has_docker = False
    broken = towline("health", "--platform", "--json")
    assert (broken.code, broken.json["parts"][1]["problem"]) == (12, "It is away.")


def test_status_of_a_service_and_of_a_project(deployed: Run) -> None:
    shown = deployed("status").out
    assert "running      1 of 1" in shown
    assert "10.117.0.3:8080" in shown
    assert deployed("status", "shop/shop", "--json").json["health"] == "healthy"
    assert "1/1" in deployed("status", "--project", "shop").out
    assert "1.5 ms" in deployed("health").out
    uptime = deployed("uptime", "--range", "7d").out
    assert ("83.33 %" in uptime, "nothing answers HTTP" in uptime) == (True, True)
    metrics = deployed("metrics").out
    assert ("0.25" in metrics, "64 MiB" in metrics, "2.0 KiB" in metrics) == (True, True, True)
    assert deployed("metrics", "--json").json["items"][0]["instances"] == 1


def test_a_service_is_named_by_option_or_by_argument(deployed: Run, tmp_path: Path) -> None:
    deployed("services", "create", "other", "--project", "shop")
    assert deployed("scale", "2", "--project", "shop", "--service", "other", "--json").json["replicas"] == 2
    assert deployed("scale", "3", "shop/other", "--json").json["replicas"] == 3
    assert "shop/other" in deployed("status", "--service", "other").out


def test_the_example_is_deployed_and_followed(deployed: Run) -> None:
    shown = deployed("projects", "create-example")
    assert (shown.code, "building" in shown.out) == (0, True)
    assert deployed("projects", "create-example", "--json").json["project"] == "hello"


def test_lifecycle_commands(deployed: Run) -> None:
    assert deployed("scale", "3", "--json").json["replicas"] == 3
    assert deployed("stop", "--json").json["state"] == "stopped"
    assert deployed("start", "--json").json["state"] == "running"
    assert deployed("restart").code == 0
    assert deployed("scale", "101").code == InvalidInput.exit_code


def test_logs_are_printed_followed_and_searched(deployed: Run, state: StubState) -> None:
    assert deployed("logs").out == "fetching\nbuilding\nstarting\n"
    assert deployed("logs", "--grep", "build").out == "building\n"
    assert deployed("logs", "-t").out.startswith("2026-08-01T12:00:00.000+00:00 fetching")
    (deployment_id,) = state.deployments
    followed = deployed("logs", "--deployment", deployment_id, "--follow", "--json").out.splitlines()
    assert [json.loads(line)["sequence"] for line in followed] == [1, 2, 3]
    assert "since" in deployed("logs", "--since", "yesterday").err


def test_foreign_output_cannot_command_the_terminal(deployed: Run, state: StubState) -> None:
    state.log_lines = ["\x1b]0;owned\x07\x1b[2Jred \x1b[31mtext\x1b[0m\r\b"]
    assert deployed("logs").out == "]0;owned[2Jred text\n"


def test_variables_are_set_listed_and_deleted(deployed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_HERE", "$HOME 'quoted'")
    assert deployed("env", "set", "MODE=fast=er", "FROM_HERE").code == 0
    assert deployed("env", "set", "TOKEN=s3cret", "--secret").code == 0
    shown = {item["name"]: item["value"] for item in deployed("env", "list", "--json").json["items"]}
    assert shown == {"FROM_HERE": "$HOME 'quoted'", "MODE": "fast=er", "TOKEN": None}
    assert "s3cret" not in deployed("env").out
    assert deployed("env", "delete", "MODE", "TOKEN").code == 0
    missing = deployed("env", "delete", "MODE")
    assert (missing.code, "no variable 'MODE'" in missing.err) == (NotFound.exit_code, True)
    assert deployed("env", "set", "--shared", "ALL=1").code == 0
    assert deployed("env", "--shared", "--json").json["items"][0]["level"] == "project"


def test_variables_come_from_a_file(deployed: Run, folder: Path) -> None:
    (folder / ".env").write_text("# one\nexport A=1\nB='two words'\nC=\"x\\ny\"\nD=$A\n\nE=\n")
    assert deployed("env", "set", "--file", ".env").code == 0
    shown = {item["name"]: item["value"] for item in deployed("env", "--json").json["items"]}
    assert shown == {"A": "1", "B": "two words", "C": "x\ny", "D": "$A", "E": ""}
    (folder / ".env").write_text("A=1\nnot a variable\n")
    assert "Line 2 of .env" in deployed("env", "set", "-f", ".env").err


def test_domains_are_added_listed_and_removed(deployed: Run, state: StubState) -> None:
    assert "pending" in deployed("domains", "add", "Example.com/api").out
    (route,) = state.routes.values()
    assert (route.host, route.path_prefix) == ("example.com", "/api")
    assert "https://example.com/api" in deployed("domains").out
    assert deployed("domains", "remove", "example.org").code == NotFound.exit_code
    assert deployed("domains", "remove", "example.com/api").code == 0
    assert not state.routes


def test_environments_keys_registries_and_audit(deployed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "production" in deployed("environments").out
    assert deployed("environments", "create", "staging").code == 0
    changed = deployed("environments", "set", "staging", "--sleeps-after", "600", "--protection", "link", "--json")
    assert (changed.json["sleeps_after"], changed.json["protection"]) == (600, "link")
    assert deployed("environments", "set", "staging", "--sleeps-after", "never", "--json").json["sleeps_after"] is None
    assert deployed("environments", "set", "staging", "--sleeps-after", "soon").code == 2
    assert deployed("environments", "wake", "staging").code == 0
    assert "/_towline/share/" in deployed("environments", "share", "staging").out
    assert deployed("environments", "share", "staging", "--revoke").code == 0
    assert deployed("environments", "delete", "staging", "--yes").code == 0
    assert (
        deployed("keys", "create", "ci", "--scope", "deploy", "--days", "30", "--json").json["value"].startswith("twl_")
    )
    assert "No key." in deployed("keys").out
    assert deployed("keys", "delete", "key_1", "--yes").code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    added = deployed("registries", "add", "registry.example.com:5000", "--username", "ann", "--json")
    assert "hunter2" not in added.out
    assert "ann" in deployed("registries").out
    assert deployed("registries", "remove", added.json["id"], "--yes").code == 0
    assert "projects.create" in deployed("audit").out


def test_open_prints_the_address(deployed: Run) -> None:
    assert deployed("open").out == "http://shop.localhost:8080\n"


def test_events_are_printed_as_they_happen(deployed: Run) -> None:
    lines = deployed("events", "--count", "2", "--json").out.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [5, 6]
    assert "deployment.progress message=event 5" in deployed("events", "--count", "1").out


def _install(data: Path, url: str) -> None:
    """Leave in a data folder what `towline up` leaves there."""
    port = int(url.rpartition(":")[2])
    (data / "keys").mkdir(parents=True)
    (data / "keys" / "local-api-key").write_text(API_KEY + "\n")
    installation = Installation("twl1", {}, Ports(http=80, https=443, api=port, traefik_api=1, internal=2))
    save_installation(Layout(data), installation)


def test_installation_of_this_machine_is_found_by_itself(run: Run, server_url: str, tmp_path: Path) -> None:
    data = tmp_path / "home" / "towline_data_dir"
    _install(data, server_url)
    assert run("projects").code == 0
    assert str(data) in run("config", "--json").json["key_from"]


def test_linked_address_gets_no_key_of_another_server(run: Run, server_url: str, folder: Path, tmp_path: Path) -> None:
    _install(tmp_path / "home" / "towline_data_dir", server_url)
    (folder / ".towline").mkdir()
    link = {"project": "shop", "service": "shop", "url": "http://127.0.0.1:9"}
    (folder / ".towline" / "project.json").write_text(json.dumps(link))
    assert run("config", "--json").json["server"] == server_url


def test_no_server_is_an_error_with_a_way_on(run: Run) -> None:
    result = run("status")
    assert result.code == Unauthenticated.exit_code
    assert result.err.splitlines()[0] == "Error: No Towline server is known here."
    assert result.err.splitlines()[1].startswith("Try: Run `towline up`")


def test_server_that_is_down_has_an_exit_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("TOWLINE_API_KEY", "k")
    assert run("projects").code == Unavailable.exit_code


def test_errors_are_json_when_asked_for(run: Run) -> None:
    result = run("status", "--json")
    assert json.loads(result.err)["error"]["code"] == "unauthenticated"
    assert result.out == ""


def test_wrong_usage_names_the_help(run: Run) -> None:
    result = run("scale", "many")
    assert result.code == InvalidInput.exit_code
    assert "Try: Run `towline scale --help`." in result.err
    assert "Try: Run `towline --help`." in run("nonsense").err
    assert "Try: Run `towline env --help`." in run("env", "nonsense").err


def test_bad_values_are_refused_before_they_are_sent(towline: Run, state: StubState) -> None:
    result = towline("projects", "create", "My Shop")
    assert result.code == InvalidInput.exit_code
    assert "name: " in result.err
    assert not state.calls


def test_help_and_version_need_no_server(run: Run) -> None:
    assert "Usage: towline" in run().out
    assert run("--version").out.strip() == "0.1.0"
    for noun in ("projects", "services", "env", "domains", "releases", "deployments", "keys"):
        assert "Usage: towline" in run(noun, "--help").out


def test_down_and_doctor_speak_of_this_machine(run: Run) -> None:
    assert run("down").code == NotFound.exit_code
    findings = {item["subject"]: item for item in run("doctor", "--json").json["items"]}
    assert {"Docker", "BuildKit", "Disk", "Memory", "Ports"} <= set(findings)


def test_completion_is_offered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TOWLINE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "towline pro")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        main([])
    assert "projects" in capsys.readouterr().out
