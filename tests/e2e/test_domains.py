"""Domains of people's own: a host, a path of a host, two services on one host."""

import json

import pytest
from tests.e2e.parts import app, command_app, host_of, succeeded
from tests.running import RunningTowline, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def _add(towline: RunningTowline, project: str, service: str, domain: str, *options: str) -> dict[str, object]:
    added = towline.command("domains", "add", domain, "-p", project, "-s", service, "--json", *options)
    assert added.returncode == 0, added.stderr
    return json.loads(added.stdout)


def test_a_domain_leads_to_its_service_until_it_is_removed(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    generated = host_of(succeeded(towline.deploy_files(project, app("page"))))
    domain = f"www.{project}.example.com"
    route = _add(towline, project, "web", domain.upper())
    assert (route["host"], route["kind"], route["url"]) == (domain, "custom", towline.url_of(domain))
    wait_for(lambda: towline.get(domain).text == "page")
    assert towline.get(f"other.{domain}").status_code == 404
    succeeded(towline.deploy_files(project, app("newer")))
    assert towline.get(domain).text == "newer"
    removed = towline.command("domains", "remove", domain, "-p", project, "-s", "web")
    assert removed.returncode == 0, removed.stderr
    wait_for(lambda: towline.get(domain).status_code == 404)
    assert towline.get(generated).text == "newer"


def test_two_services_share_a_host_by_path(towline: RunningTowline, project: str) -> None:
    for service in ("site", "api", "raw"):
        towline.create_service(project, service)
    towline.client.services.get(project, "api")
    succeeded(towline.deploy_files(project, app("site"), service="site"))
    succeeded(towline.deploy_files(project, app("api root", www__v1__index_html=""), service="api"))
    succeeded(towline.deploy_files(project, {**app("x"), "www/raw/index.html": b"raw"}, service="raw"))
    domain = f"{project}.example.com"
    _add(towline, project, "site", domain)
    _add(towline, project, "api", f"{domain}/api", "--strip-prefix")
    _add(towline, project, "raw", f"{domain}/raw")
    wait_for(lambda: towline.get(domain, "/raw/").text == "raw")
    assert towline.get(domain).text == "site"
    assert towline.get(domain, "/api/").text == "api root"
    assert towline.get(domain, "/api").text == "api root"
    assert towline.get(domain, "/apical").status_code == 404


def test_a_taken_or_reserved_domain_is_refused(towline: RunningTowline, project: str) -> None:
    for service in ("one", "two"):
        towline.create_service(project, service)
    domain = f"{project}.example.com"
    _add(towline, project, "one", domain)
    for taken in (domain, f"{domain}/"):
        refused = towline.command("domains", "add", taken, "-p", project, "-s", "two")
        assert refused.returncode == 5, refused.stdout
    for reserved in ("towline.localhost", "localhost", "web.internal"):
        refused = towline.command("domains", "add", reserved, "-p", project, "-s", "two")
        assert refused.returncode == 2, refused.stdout
    http = towline.client.connection.http
    for hostile in ("`x`.com", "a b.com", "{{env}}.com", "ex_ample.com", "-x.com", "1.2.3.4", "*.com", "x\n.com", ""):
        answer = http.post(f"/api/v1/projects/{project}/services/two/routes", json={"host": hostile})
        assert (answer.status_code, answer.json()["field"]) == (422, "host"), hostile
    outside = towline.command("domains", "add", "x.com/../etc", "-p", project, "-s", "two")
    assert outside.returncode == 2, outside.stdout


def test_a_worker_cannot_have_a_domain(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, "jobs", type="worker")
    refused = towline.command("domains", "add", f"{project}.example.com", "-p", project, "-s", "jobs")
    assert refused.returncode == 5
    assert "no web service" in refused.stderr


def test_a_domain_of_a_service_that_never_ran_answers_503(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    _add(towline, project, "web", f"{project}.example.com")
    wait_for(lambda: towline.get(f"{project}.example.com").status_code == 503)


def test_hosts_of_platform_and_nobody_answer_pages_of_their_own(towline: RunningTowline) -> None:
    assert towline.get("towline.localhost", "/healthz").status_code == 200
    assert towline.get("nobody.localhost").status_code == 404
    assert "Nothing is here" in towline.get("nobody.localhost").text


def test_the_clients_address_and_scheme_reach_the_app(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    program = (
        "mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho; env' >/www/cgi-bin/env; chmod +x /www/cgi-bin/env; "
        "exec httpd -f -p 8080 -h /www"
    )
    host = host_of(succeeded(towline.deploy_files(project, command_app(program))))
    seen = towline.get(host, "/cgi-bin/env").text
    assert f"HTTP_HOST={host}" in seen
    assert "HTTP_X_FORWARDED_PROTO=http" in seen
    assert "HTTP_X_FORWARDED_FOR=127.0.0.1" in seen or "HTTP_X_REAL_IP=127.0.0.1" in seen
