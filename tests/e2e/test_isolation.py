"""Who reaches whom: services of one environment by name, nobody else, and never the platform's own parts."""

import json
import socket

import httpx2
import psutil
import pytest
from tests.e2e.parts import app, containers_of, inspect, run_inside, succeeded
from tests.running import RunningTowline, wait_for

from towline.contract.deployments import DeployRequest
from towline.contract.environments import EnvironmentCreate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def _fetch(container: str, url: str) -> str:
    """What a container gets from an address; empty when it gets nothing within two seconds."""
    return run_inside(container, "sh", "-c", f"timeout 2 wget -q -O - '{url}' || true")


def _fetch_internal(container: str, service: str, port: str) -> str:
    """The same from a service's internal name; a static busybox cannot look names up in /etc/hosts itself."""
    host = f"--header 'Host: {service}.internal:{port}'"
    url = f"http://{_internal_address(container, service)}:{port}/"
    return run_inside(container, "sh", "-c", f"timeout 2 wget -q -O - {host} {url} || true")


def _internal_address(container: str, service: str) -> str:
    lines = [line.split() for line in run_inside(container, "cat", "/etc/hosts").splitlines()]
    return next(line[0] for line in lines if f"{service}.internal" in line[1:])


def _address(container: str) -> str:
    networks = inspect(container)["NetworkSettings"]["Networks"]
    return str(next(iter(networks.values()))["IPAddress"])


def test_services_of_a_project_reach_each_other_by_name(towline: RunningTowline, project: str) -> None:
    for service in ("web", "api"):
        towline.create_service(project, service)
    for service in ("web", "api"):
        succeeded(towline.deploy_files(project, app(f"this is {service}"), service=service))
    (web,) = containers_of(project, "web")
    port = towline.environment["TOWLINE_INTERNAL_PORT"]
    assert _fetch(web, "http://api:8080/") == "this is api"
    assert _fetch_internal(web, "api", port) == "this is api"
    assert _fetch_internal(web, "web", port) == "this is web"


def test_calls_by_internal_name_survive_a_rollout(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, "api")
    towline.create_service(project, "web")
    succeeded(towline.deploy_files(project, app("old"), service="api"))
    succeeded(towline.deploy_files(project, app("web")))
    (web,) = containers_of(project)
    port = towline.environment["TOWLINE_INTERNAL_PORT"]
    gateway = _internal_address(web, "api")
    call = f"timeout 2 wget -q -O - --header 'Host: api.internal:{port}' http://{gateway}:{port}/"
    loop = f"for i in $(seq 1 300); do {call} || echo FAILED; echo; done"
    run_inside(web, "sh", "-c", f"( {loop}; echo over ) >/seen 2>&1 &")
    succeeded(towline.deploy_files(project, app("new"), service="api"))
    seen = wait_for(lambda: text if "over" in (text := run_inside(web, "cat", "/seen")) else None)
    assert "FAILED" not in seen
    assert {"old", "new", "over"} >= set(seen.split()) >= {"old", "over"}
    assert _fetch_internal(web, "api", port) == "new"


def test_another_projects_services_are_out_of_reach(towline: RunningTowline, project: str) -> None:
    other = f"{project}-other"
    try:
        for name in (project, other):
            towline.create_service(name)
            succeeded(towline.deploy_files(name, app(f"of {name}")))
        (mine,), (theirs,) = containers_of(project), containers_of(other)
        assert _fetch(mine, f"http://{_address(mine)}:8080/") == f"of {project}"
        assert _fetch(mine, f"http://{_address(theirs)}:8080/") == ""
        towline.create_service(other, "secret")
        succeeded(towline.deploy_files(other, app("of the other"), service="secret"))
        (hidden,) = containers_of(other, "secret")
        port = towline.environment["TOWLINE_INTERNAL_PORT"]
        assert _fetch_internal(mine, "web", port) == f"of {project}"
        # The entry point for calls between services asks who calls, not only whom.
        gateway = _internal_address(mine, "web")
        call = f"timeout 2 wget -q -O - --header 'Host: secret.internal:{port}' http://{gateway}:{port}/ || true"
        assert run_inside(theirs, "sh", "-c", call) == run_inside(hidden, "sh", "-c", call) == "of the other"
        assert run_inside(mine, "sh", "-c", call) == ""
    finally:
        towline.client.projects.delete(other)


def test_another_environment_of_the_project_is_out_of_reach(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    towline.create_service(project, "db")
    towline.client.environments.create(project, EnvironmentCreate(name="staging"))
    for place, text in (("production", "real"), ("staging", "trial")):
        for service in ("web", "db"):
            upload = towline.upload(project, app(f"{service} {text}"))
            request = DeployRequest(upload=upload, environment=place)
            made = towline.client.services.deploy(project, service, request)
            succeeded(towline.client.wait_for_deployment(made.id, timeout=120))
    found = {_fetch(container, "http://127.0.0.1:8080/"): container for container in containers_of(project)}
    (of_db,) = [one for one in containers_of(project, "db") if _fetch(one, "http://127.0.0.1:8080/") == "db real"]
    port = towline.environment["TOWLINE_INTERNAL_PORT"]
    for text in ("real", "trial"):
        assert _fetch(found[f"web {text}"], "http://db:8080/") == f"db {text}"
        assert _fetch_internal(found[f"web {text}"], "db", port) == f"db {text}"
    assert _fetch(found["web real"], f"http://{_address(of_db)}:8080/") == "db real"
    assert _fetch(found["web trial"], f"http://{_address(of_db)}:8080/") == ""


def test_the_platforms_own_parts_are_out_of_reach(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("page")))
    (container,) = containers_of(project)
    gateway = inspect(container)["HostConfig"]["ExtraHosts"][0].partition(":")[2]
    network_gateway = str(next(iter(inspect(container)["NetworkSettings"]["Networks"].values()))["Gateway"])
    ports = _private_ports(towline)
    for port in ports.values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((gateway, port), timeout=2).close()
        for address in (gateway, network_gateway):
            assert _fetch(container, f"http://{address}:{port}/") == ""
    found = run_inside(container, "sh", "-c", "find / -xdev -type s")
    assert found == ""
    assert not inspect(container)["HostConfig"]["Binds"]


def test_traefiks_interface_asks_for_a_password(towline: RunningTowline) -> None:
    port = _private_ports(towline)["traefik_api"]
    for path in ("/api/rawdata", "/api/http/services", "/dashboard/", "/debug/pprof/", "/metrics", "/ping"):
        answer = httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
        assert answer.status_code in {401, 404}, (path, answer.status_code)


def test_nothing_of_towline_listens_to_the_network_but_the_doors_for_requests(towline: RunningTowline) -> None:
    ports = json.loads((towline.folder / "state.json").read_text())["ports"]
    doors = {ports["http"], ports["https"], int(towline.environment["TOWLINE_INTERNAL_PORT"])}
    parts = json.loads((towline.folder / "run" / "status.json").read_text())["parts"]
    assert {"postgres", "valkey", "traefik"} <= parts.keys()
    found: dict[str, set[int]] = {}
    for name, part in ((name, part) for name, part in parts.items() if part["process_id"]):
        process = psutil.Process(part["process_id"])
        for one in (process, *process.children(recursive=True)):
            listening = [each for each in one.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
            open_ports = {each.laddr[1] for each in listening if not each.laddr[0].startswith(("127.", "::1"))}
            found.setdefault(name, set()).update(open_ports)
    assert found.pop("traefik") <= doors
    assert {port for ports in found.values() for port in ports} == set()


def _private_ports(towline: RunningTowline) -> dict[str, int]:
    ports = json.loads((towline.folder / "state.json").read_text())["ports"]
    return {name: ports[name] for name in ("api", "traefik_api")}


def test_private_files_of_the_data_folder_are_closed(towline: RunningTowline) -> None:
    for name in ("keys", "postgres", "valkey", "traefik", "artifacts"):
        assert (towline.folder / name).stat().st_mode & 0o077 == 0, name
    for path in (towline.folder / "state.json", *(towline.folder / "keys").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
