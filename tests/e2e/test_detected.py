"""Projects without a Dockerfile: what they are is detected, and the Dockerfile made for them is shown."""

import pytest
from tests.e2e.parts import BASE, failed, host_of, log_of, succeeded
from tests.running import RunningTowline

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
SITE = {"index.html": b"a site", "css/style.css": b"body {}", ".env": b"PASSWORD=1"}
PYTHON = {"main.py": b"print()\n", "index.html": b"python app"}
NODE = {
    "package.json": b'{"scripts": {"start": "node server.js", "build": "make"}}',
    "server.js": b"",
    "index.html": b"node app",
}


@pytest.mark.parametrize(
    ("tree", "builder", "text"),
    [
        (SITE, "auto", "a site"),
        (PYTHON, "auto", "python app"),
        (NODE, "auto", "node app"),
        (NODE, "static", "node app"),
    ],
    ids=["site", "python", "node", "chosen"],
)
def test_a_project_is_detected_built_and_serves(
    towline: RunningTowline, project: str, tree: dict[str, bytes], builder: str, text: str
) -> None:
    towline.create_service(project, builder=builder)
    deployment = succeeded(towline.deploy_files(project, tree))
    assert towline.get(host_of(deployment)).text == text
    assert f"FROM {BASE}" in log_of(towline, deployment.id)


def test_hidden_files_of_a_site_are_not_served(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    host = host_of(succeeded(towline.deploy_files(project, SITE)))
    assert towline.get(host, "/css/style.css").text == "body {}"
    assert [towline.get(host, path).status_code for path in ("/.env", "/../etc/passwd")] == [404, 404]


def test_a_builder_whose_program_is_missing_says_so(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, builder="nixpacks")
    assert "nixpacks" in failed(towline.deploy_files(project, PYTHON), "not-installed")
