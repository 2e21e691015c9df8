"""Logs: kept when an instance is replaced, searched, followed and resumed."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from tests.e2e.parts import app, command_app, containers_of, succeeded
from tests.running import RunningTowline, wait_for

from towline.contract.deployments import DeployRequest
from towline.contract.logs import LogEntry, LogQuery, ServiceLogQuery
from towline.contract.variables import VariablesSet, VariableValue

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
SERVE = "exec httpd -f -p 8080 -h /"


def _lines(towline: RunningTowline, project: str, **query: object) -> list[str]:
    chosen = ServiceLogQuery.model_validate({"tail": 10_000, **query})
    return [entry.message for entry in towline.client.services.get_logs(project, "web", chosen).items]


def test_lines_of_a_replaced_instance_are_kept(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    for number in (1, 2):
        succeeded(towline.deploy_files(project, command_app(f"echo this is version {number}; {SERVE}")))
        wait_for(lambda wanted=number: f"this is version {wanted}" in _lines(towline, project))
    assert [line for line in _lines(towline, project) if line.startswith("this")] == [
        "this is version 1",
        "this is version 2",
    ]


def test_lines_have_sequence_time_stream_and_instance(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    began = datetime.now(UTC)
    program = f"echo fine; sleep 0.2; echo ERROR: broken >&2; sleep 0.2; seq 1 500; {SERVE}"
    succeeded(towline.deploy_files(project, command_app(program)))
    wait_for(lambda: "500" in _lines(towline, project))
    printed = towline.command("logs", f"{project}/web", "--tail", "10000", "--json")
    entries = [LogEntry.model_validate_json(line) for line in printed.stdout.splitlines()]
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.message for entry in entries if entry.message.isdigit()] == [str(n) for n in range(1, 501)]
    broken = next(entry for entry in entries if "broken" in entry.message)
    assert (broken.stream, broken.level) == ("stderr", "error")
    assert broken.instance_id is not None
    assert began <= broken.at <= datetime.now(UTC)
    tail = towline.command("logs", f"{project}/web", "-n", "2").stdout.splitlines()
    assert tail == ["499", "500"]


def test_lines_are_found_by_text_level_and_position(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    odd = "odd 100%_\\d [x] 'quoted' žluť"
    program = f'seq 1 50; printf "%s\\n" "$ODD"; echo error: bad >&2; {SERVE}'
    variable = VariableValue(name="ODD", value=odd)
    towline.client.variables.set(project, VariablesSet(service="web", variables=[variable]))
    succeeded(towline.deploy_files(project, command_app(program)))
    wait_for(lambda: "error: bad" in _lines(towline, project))
    for text in ("100%_\\d", "žluť", "[x]"):
        assert _lines(towline, project, query=text) == [odd]
    assert _lines(towline, project, query="100%xx") == []
    assert _lines(towline, project, level="error") == ["error: bad"]
    found = towline.command("logs", f"{project}/web", "--grep", "'quoted'").stdout
    assert "quoted" in found
    whole = _lines(towline, project)
    assert _lines(towline, project, since="40", tail=None, limit=5) == whole[39:44]


def test_a_followed_log_goes_on_over_a_new_version(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, command_app(f"echo one; {SERVE}")))
    environment = {**towline.environment, "TOWLINE_URL": towline.client.connection.base_url}
    command = [sys.executable, "-m", "towline", "logs", "-f", f"{project}/web", "--since", "1"]
    with subprocess.Popen(
        command, env={**environment, "TOWLINE_API_KEY": towline.api_key}, stdout=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "one\n"
        succeeded(towline.deploy_files(project, command_app(f"echo two; {SERVE}")))
        assert follower.stdout.readline() == "two\n"
        follower.terminate()


def test_a_deployments_log_is_followed_to_its_end_without_gaps(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    more = f"RUN : {project}; for i in $(seq 1 200); do echo line $i; done; sleep 0.5; echo last line"
    upload = towline.upload(project, app("x", more=more))
    started = towline.command("deployments", "list", "-p", project)
    assert started.returncode == 0, started.stderr
    from_start = towline.client.services.deploy(project, "web", DeployRequest(upload=upload))
    entries = list(towline.client.deployments.follow_logs(from_start.id))
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    text = "\n".join(entry.message for entry in entries)
    assert "line 200" in text
    assert text.rindex("line 200") < text.rindex("last line")
    assert entries[-1].message == "Done."
    half = entries[len(entries) // 2].sequence
    resumed = list(towline.client.deployments.follow_logs(from_start.id, LogQuery(since=str(half))))
    assert [entry.sequence for entry in resumed] == list(range(half, len(entries) + 1))


def test_events_of_a_deployment_come_in_order(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    upload = towline.upload(project, app("x"))
    room = f"project:{towline.client.projects.get(project).id}"
    events = towline.client.events.follow([room], since=0)
    deployment = towline.client.services.deploy(project, "web", DeployRequest(upload=upload))
    seen: list[str] = []
    numbers: list[int] = []
    for event in events:
        numbers.append(event.sequence)
        if event.deployment_id == deployment.id:
            seen.append(event.type)
        if event.type in {"deployment.completed", "deployment.failed"}:
            break
    assert seen[0] == "deployment.started" or seen[1] == "deployment.started"
    assert seen[-1] == "deployment.completed"
    assert numbers == sorted(set(numbers))
    assert containers_of(project)
