"""What a deployment changes, through the HTTP door: variables by name, for those who may read them."""

from tests.stand_ins import make_world
from tests.web.door import Door

from towline.contract.deployments import DeploymentChanges
from towline.models.projects import ProjectCollaborator


async def test_changes_name_variables_to_developers_and_no_values_to_anybody(door: Door) -> None:
    world = await make_world(door.platform)
    ann = await door.add_key(world.user.id)
    viewer = await door.add_person()
    async with door.platform.database.transaction() as work:
        work.session.add(ProjectCollaborator(project_id=world.project.id, user_id=viewer.user_id, role="viewer"))
    await world.deploy_successfully()
    variables = [
        {"name": "GREETING", "value": "hello there"},
        {"name": "TOKEN", "value": "do-not-show-this", "is_secret": True},
    ]
    answer = await ann.call("PATCH", "/projects/shop/variables", json={"service": "web", "variables": variables})
    assert answer.status_code == 200, answer.text
    deployment = await world.deploy_successfully("app:2")
    answer = await ann.call("GET", f"/deployments/{deployment.id}/changes")
    found = DeploymentChanges.model_validate_json(answer.content)
    assert (found.previous_release, found.release) == (1, 2)
    assert found.previous_image != found.image
    assert [(one.name, one.kind, one.is_secret) for one in found.variables or []] == [
        ("GREETING", "added", False),
        ("TOKEN", "added", True),
    ]
    assert ("do-not-show-this" in answer.text, "hello there" in answer.text) == (False, False)
    seen = DeploymentChanges.model_validate(await viewer.get(f"/deployments/{deployment.id}/changes"))
    assert (seen.release, seen.variables) == (2, None)
