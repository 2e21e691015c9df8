"""Variables arrive exactly; secrets stay secret wherever they could be seen."""

import json
from hashlib import md5

import httpx2
import pytest
from tests.e2e.parts import (
    app,
    command_app,
    containers_of,
    docker,
    environment_of,
    host_of,
    log_of,
    run_inside,
    succeeded,
)
from tests.running import RunningTowline, wait_for

from towline.contract.variables import VariableQuery, VariablesSet, VariableValue

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
SECRET = "s3cr3t-v4lue-ünïque"
HOSTILE = {
    "QUOTES": 'it\'s "quoted" `and` back\\slashed\\',
    "DOLLARS": "$HOME ${HOME} $(id) $$ %s",
    "LINES": "first\nsecond\r\n\tthird\n",
    "UNICODE": "žluťoučký 🐎 \u202e\u0085",
    "SPACES": "  around  ",
    "EMPTY": "",
    "EQUALS": "a=b=c",
    "BIG": "0123456789abcdef" * 8000,
}


def test_every_value_arrives_byte_for_byte(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    values = [VariableValue(name=name, value=value) for name, value in HOSTILE.items()]
    towline.client.variables.set(project, VariablesSet(service="web", variables=values))
    shown = {row.name: row.value for row in towline.client.variables.list(project, VariableQuery(service="web")).items}
    assert {name: shown[name] for name in HOSTILE} == HOSTILE
    succeeded(towline.deploy_files(project, app("page")))
    found = environment_of(containers_of(project)[0])
    assert {name: found[name] for name in HOSTILE} == HOSTILE
    own = {"TOWLINE_PROJECT": project, "TOWLINE_SERVICE": "web", "TOWLINE_RELEASE": "1", "PORT": "8080"}
    assert own.items() <= found.items()


def test_the_command_line_sets_and_deletes_variables_of_service_and_project(
    towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    for arguments in (
        ("set", "--shared", "-p", project, "LEVEL=project", "SHARED=yes"),
        ("set", "-p", project, "-s", "web", "LEVEL=ser vice $x", "GONE=soon"),
        ("delete", "-p", project, "-s", "web", "GONE"),
    ):
        finished = towline.command("env", *arguments)
        assert finished.returncode == 0, finished.stderr
    listed = json.loads(
        towline.command("env", "list", "-p", project, "-s", "web", "-e", "production", "--json").stdout
    )["items"]
    assert {(row["name"], row["level"]) for row in listed} == {("LEVEL", "service"), ("SHARED", "project")}
    succeeded(towline.deploy_files(project, app("page")))
    found = environment_of(containers_of(project)[0])
    assert (found["LEVEL"], found["SHARED"], "GONE" in found) == ("ser vice $x", "yes", False)


def test_a_changed_variable_comes_with_the_next_deployment_only(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    for value in ("one", "two"):
        variable = VariableValue(name="VALUE", value=value)
        towline.client.variables.set(project, VariablesSet(service="web", variables=[variable]))
        if value == "one":
            succeeded(towline.deploy_files(project, app("page")))
    assert environment_of(containers_of(project)[0])["VALUE"] == "one"
    deployment = succeeded(towline.deploy_files(project, app("page")))
    assert deployment.is_cached
    assert environment_of(containers_of(project)[0])["VALUE"] == "two"


def test_a_secret_is_masked_in_logs_and_never_given_back(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, release_command=["sh", "-c", 'echo "release $TOKEN"'])
    variable = VariableValue(name="TOKEN", value=SECRET, is_secret=True)
    answer = towline.client.variables.set(project, VariablesSet(service="web", variables=[variable]))
    assert [row.value for row in answer.items if row.name == "TOKEN"] == [None]
    program = 'echo "run $TOKEN"; printf "half "; printf "%s" "$TOKEN" | cut -c1-5 | tr -d "\\n"; sleep 0.1; '
    program += 'printf "%s\\n" "$TOKEN" | cut -c6-; exec httpd -f -p 8080 -h /www'
    deployment = succeeded(towline.deploy_files(project, command_app(program)))
    assert environment_of(containers_of(project)[0])["TOKEN"] == SECRET
    build_log = log_of(towline, deployment.id)
    assert "release " in build_log
    run_log = wait_for(lambda: towline.command("logs", f"{project}/web").stdout or None)
    everything = build_log + run_log + towline.command("deployments", "show", deployment.id, "--json").stdout
    everything += towline.command("env", "list", "-p", project, "-s", "web").stdout
    everything += towline.command("services", "show", f"{project}/web", "--json").stdout
    assert SECRET not in everything
    assert "run " in run_log


def test_build_secrets_reach_neither_image_nor_log(towline: RunningTowline, project: str) -> None:
    mount = "RUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN && wc -c < /run/secrets/TOKEN > /www/size"
    created = towline.command("projects", "create", project)
    assert created.returncode == 0, created.stderr
    created = towline.command("services", "create", "web", "-p", project, "--build-secret", f"TOKEN={SECRET}")
    assert created.returncode == 0, created.stderr
    assert SECRET not in towline.command("services", "show", f"{project}/web", "--json").stdout
    deployment = succeeded(towline.deploy_files(project, app("page", more=mount)))
    assert towline.get(host_of(deployment), "/size").text.strip() == str(len(SECRET.encode()))
    assert SECRET not in log_of(towline, deployment.id)
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", deployment.image)
    assert SECRET not in history + docker("inspect", deployment.image)
    inside = run_inside(containers_of(project)[0], "sh", "-c", "ls /run/secrets 2>/dev/null; env")
    assert SECRET not in inside
    assert "TOKEN" not in inside


def test_a_crash_does_not_tell_a_secret(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    variable = VariableValue(name="TOKEN", value=SECRET, is_secret=True)
    towline.client.variables.set(project, VariablesSet(service="web", variables=[variable]))
    deployment = towline.deploy_files(project, command_app('echo "cannot use $TOKEN" >&2; exit 1'))
    log = log_of(towline, deployment.id)
    assert "cannot use" in log
    assert SECRET not in log


def test_references_are_resolved_and_files_are_there_when_the_program_starts(
    towline: RunningTowline, project: str
) -> None:
    towline.create_service(project, "api")
    towline.create_service(project)
    token = VariableValue(name="TOKEN", value=SECRET, is_secret=True)
    towline.client.variables.set(project, VariablesSet(service="api", variables=[token]))
    long = "".join(f"{number} $x '\"\n" for number in range(20_000))
    values = [
        VariableValue(name="API", value="${{ services.api.internal_url }}/v1 ${{ services.api.url }}"),
        VariableValue(name="COPY", value="<${{ services.api.variables.TOKEN }}>", mount_path="/run/new/token"),
        VariableValue(name="LONG", value=long, mount_path="/etc/long.txt"),
    ]
    towline.client.variables.set(project, VariablesSet(service="web", variables=values))
    program = "cat /run/new/token; exec httpd -f -p 8080 -h /run/new"
    deployment = succeeded(towline.deploy_files(project, command_app(program)))
    container = containers_of(project)[0]
    internal, public = environment_of(container)["API"].split()
    assert internal == "http://api.internal/v1"
    assert httpx2.URL(public).host.startswith("api-")
    assert "COPY" not in environment_of(container)
    assert run_inside(container, "cat", "/run/new/token") == f"<{SECRET}>"
    assert run_inside(container, "md5sum", "/etc/long.txt").split()[0] == md5(long.encode()).hexdigest()
    assert run_inside(container, "stat", "-c", "%a", "/run/new/token", "/run/new", "/etc").split() == [
        "444",
        "755",
        "755",
    ]
    assert SECRET not in log_of(towline, deployment.id) + towline.command("logs", f"{project}/web").stdout
