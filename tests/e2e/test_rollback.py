"""Going back to a kept release: its image, variables and settings, without a build."""

import json

import pytest
from tests.e2e.parts import app, containers_of, docker, environment_of, host_of, inspect, succeeded, traffic
from tests.running import RunningTowline

from towline.contract.deployments import Deployment, DeploymentRollback, DeployRequest
from towline.contract.variables import VariablesSet, VariableValue
from towline.values import Step, Trigger

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_a_rollback_brings_back_image_and_variables_without_a_failed_request(
    towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    host = f"web-{project}.localhost"
    for number, text in enumerate(("one", "two", "three"), start=1):
        greeting = VariableValue(name="GREETING", value=f"hello {number}")
        towline.client.variables.set(project, VariablesSet(service="web", variables=[greeting]))
        succeeded(towline.deploy_files(project, app(text)))
    with traffic(towline, host) as seen:
        back = towline.command("rollback", f"{project}/web", "--json")
        assert back.returncode == 0, back.stderr
        deployment = Deployment.model_validate_json(back.stdout)
        assert (deployment.trigger, deployment.rollback_of, deployment.release) == (Trigger.ROLLBACK, 2, 2)
        assert not {Step.FETCH, Step.BUILD} & {step.step for step in deployment.steps}
        assert towline.get(host).text == "two"
        older = towline.command("rollback", f"{project}/web", "--to", "1")
        assert older.returncode == 0, older.stderr
    assert (seen.failures, set(seen.answers)) == ([], {"one", "two", "three"})
    assert towline.get(host).text == "one"
    assert environment_of(containers_of(project)[0])["GREETING"] == "hello 1"


def test_a_rollback_by_deployment_goes_to_what_that_deployment_made(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    first = succeeded(towline.deploy_files(project, app("one")))
    succeeded(towline.deploy_files(project, app("two")))
    back = towline.client.deployments.rollback(DeploymentRollback(deployment=first.id))
    assert succeeded(towline.client.wait_for_deployment(back.id, timeout=60)).release == 1
    assert towline.get(host_of(first)).text == "one"


def test_a_lost_image_is_said_beforehand(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    image = succeeded(towline.deploy_files(project, app("one"))).image
    host = host_of(succeeded(towline.deploy_files(project, app("two"))))
    tags = inspect(image)["RepoTags"]
    docker("image", "rm", "--force", *tags)
    listed = json.loads(towline.command("releases", "list", f"{project}/web", "--json").stdout)["items"]
    assert [(row["number"], row["is_current"]) for row in listed] == [(2, True), (1, False)]
    assert not listed[1]["can_rollback"]
    assert "image" in listed[1]["rollback_problem"]
    refused = towline.command("rollback", f"{project}/web", "--to", "1")
    assert refused.returncode != 0
    assert "image" in refused.stderr
    assert towline.get(host).text == "two"


def test_a_release_that_never_was_is_not_found(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("one")))
    for arguments in ((), ("--to", "99")):
        refused = towline.command("rollback", f"{project}/web", *arguments)
        assert refused.returncode == 4
        assert "Try: " in refused.stderr


def test_a_release_is_promoted_to_another_environment_without_a_build(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    made = towline.command("environments", "create", "staging", "--project", project)
    assert made.returncode == 0, made.stderr
    upload = towline.upload(project, app("tried"))
    request = {"upload": upload, "environment": "staging"}
    deployment = towline.client.services.deploy(project, "web", DeployRequest.model_validate(request))
    staged = succeeded(towline.client.wait_for_deployment(deployment.id, timeout=60))
    promoted = towline.command("releases", "promote", "1", f"{project}/web", "--from", "staging", "--json")
    assert promoted.returncode == 0, promoted.stderr
    live = Deployment.model_validate_json(promoted.stdout)
    assert (live.environment, live.image) == ("production", staged.image)
    assert [step.note for step in live.steps if step.step == Step.BUILD] == [f"image {staged.image}"]
    assert host_of(live) != host_of(staged)
    assert {towline.get(host_of(live)).text, towline.get(host_of(staged)).text} == {"tried"}
