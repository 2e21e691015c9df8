"""No log of a whole run tells a secret; every Towline of the tests is asked so again when it ends (running.py)."""

import secrets

import pytest
from tests.running import RunningTowline, web_app

from towline.contract.keys import KeyCreate
from towline.contract.variables import VariablesSet, VariableValue

pytestmark = pytest.mark.e2e


def test_what_is_used_from_the_first_to_the_last_is_in_no_log(towline: RunningTowline, project: str) -> None:
    hidden = secrets.token_urlsafe(24)
    towline.create_service(project)
    variable = VariableValue(name="HIDDEN", value=hidden, is_secret=True)
    towline.client.variables.set(project, VariablesSet(service="web", variables=[variable]))
    made = towline.client.keys.create(KeyCreate(name="narrow", scopes=["view_projects"]))
    rotated = towline.client.webhook_secrets.rotate(project, "web")
    towline.secrets.values |= {made.value, rotated.value}
    assert towline.deploy_files(project, web_app("hello")).status == "success"
    assert towline.get(f"web-{project}.{towline.base_domain}").status_code < 600
    assert hidden in towline.secrets.values
    towline.secrets.add_files(towline.folder / "keys")
    files = [file.name for file in (towline.folder / "logs").iterdir()]
    assert {"supervisor.log", "postgres.log", "valkey.log", "traefik.log"} <= set(files), files
    assert towline.secrets.find_leaks(towline.folder / "logs") == {}
