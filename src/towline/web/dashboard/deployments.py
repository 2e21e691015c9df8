"""The page of one deployment: its steps, its log as it is written, and what can be done about it."""

from collections.abc import Sequence
from typing import Final

from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Ask, Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text, whole
from towline.web.dashboard.projects import permissions

_LINES: Final = 1000
_FINAL: Final = {"success", "failed", "cancelled", "superseded"}
_ADVICE: Final = {
    "wrong-port": ("settings", "Set its port"),
    "out-of-memory": ("settings", "Give it more memory"),
    "unhealthy": ("settings", "Look at its health check"),
    "instance-exited": ("variables", "Look at its variables"),
    "command-failed": ("settings", "Look at its release command"),
    "source-unavailable": ("settings", "Look at its source"),
    "image-not-found": ("deploy", "Deploy another image"),
    "build-failed": ("settings", "Look at its build settings"),
}
"""Where to go from a failure, by its code: the service's page, and what to do there."""

_RESTING: Final = {"stopped", "sleeping"}
_STEPS: Final = ("wait", "fetch", "build", "release_command", "start", "health", "switch", "retire")


async def show_deployment(visit: Visit) -> View:
    """How far it is, or how it ended."""
    name, before = visit.path["deployment"], whole(visit.request.query_params.get("before", ""))
    deployment, log = await visit.ask_all(
        wanting("deployments.getStatus", deployment=name),
        wanting("deployments.getLogs", deployment=name, query={"tail": _LINES, "before": before or None}),
    )
    place = {"project": deployment["project_id"], "service": deployment["service_id"]}
    project, status, changes, environments = await visit.ask_all(
        wanting("projects.get", project=deployment["project_id"]),
        Ask("services.getStatus", place, {"environment": deployment["environment"]}),
        wanting("deployments.getChanges", deployment=name),
        wanting("environments.list", project=deployment["project_id"], query={"limit": 200}),
    )
    serves = status["release"] is not None and status["release"] == deployment["release"]
    done = [step["step"] for step in deployment["steps"]]
    is_final = deployment["status"] in _FINAL
    values = {
        "deployment": deployment,
        "project": project,
        "lines": log["items"],
        "next_sequence": log["next_sequence"],
        "is_behind": bool(before),
        "is_final": is_final,
        "changes": changes,
        "targets": _targets(deployment, environments["items"]),
        "advice": _ADVICE.get(deployment["error"]["code"]) if deployment["error"] else None,
        "serves": serves,
        "is_live": serves and deployment["status"] == "success" and status["state"] not in _RESTING,
        "ahead": [] if is_final else steps_ahead(done),
        "suffix": "" if deployment["environment"] == "production" else f"?environment={deployment['environment']}",
        "service_base": f"/projects/{deployment['project']}/services/{deployment['service']}",
        **permissions(visit, project),
    }
    title = f"Deployment {deployment['number']} of {deployment['service']}"
    rooms = (f"project:{project['id']}", f"deployment:{deployment['id']}")
    return View("deployment.html", title, values, rooms, project["name"])


async def cancel(visit: Visit, _: Fields) -> str:
    """Cancel it."""
    await visit.ask_here("deployments.cancel")
    return f"/deployments/{visit.path['deployment']}"


async def retry(visit: Visit, _: Fields) -> str:
    """Ask for the same once more."""
    old = await visit.ask_here("deployments.getStatus")
    named = {"project": old["project_id"], "service": old["service_id"]}
    if old["trigger"] == "rollback":
        body = {**named, "environment": old["environment"], "release": old["rollback_of"]}
        made = await visit.ask("deployments.rollback", body=body)
    elif _is_promoted(old):
        made = await visit.ask("deployments.rollback", body={"deployment": old["id"]})
    else:
        service = await visit.ask("services.get", project=old["project_id"], service=old["service_id"])
        wanted: Json = {"environment": old["environment"], "no_cache": old["no_cache"]}
        made = await visit.ask(
            "services.deploy",
            project=old["project_id"],
            service=old["service_id"],
            body={**wanted, **_origin(service, old["ref"])},
        )
    return f"/deployments/{made['id']}"


async def roll_back(visit: Visit, _: Fields) -> str:
    """Run the release that it made again."""
    made = await visit.ask("deployments.rollback", body={"deployment": visit.path["deployment"]})
    return f"/deployments/{made['id']}"


async def promote(visit: Visit, fields: Fields) -> str:
    """Run the release that it made in another environment, without a build."""
    old = await visit.ask_here("deployments.getStatus")
    made = await visit.ask(
        "releases.promote",
        project=old["project_id"],
        service=old["service_id"],
        release=str(old["release"] or 0),
        body={"from_environment": old["environment"], "to_environment": text(fields, "environment")},
    )
    return f"/deployments/{made['id']}"


def steps_ahead(begun: Sequence[str]) -> list[str]:
    """Steps that come behind those that have begun; a command before the switch is not every service's."""
    furthest = max((_STEPS.index(step) for step in begun if step in _STEPS), default=-1)
    return [step for step in _STEPS[furthest + 1 :] if step != "release_command"]


def _targets(deployment: Json, environments: list[Json]) -> list[str]:
    """Where its release could run as well; previews come and go by themselves."""
    if deployment["status"] != "success" or not deployment["release"]:
        return []
    lasting = [one["name"] for one in environments if one["kind"] != "preview"]
    return [name for name in lasting if name != deployment["environment"]]


def _is_promoted(deployment: Json) -> bool:
    """Whether it ran another environment's release: it was asked for by the image, not by an upload's digest."""
    return deployment["ref"].startswith("sha256:") and deployment["ref"] == deployment["image"]


def _origin(service: Json, ref: str) -> Json:
    """What was asked for: an upload, an image (branches have no colon), or a branch, tag or commit."""
    if not ref:
        return {}
    if ref.startswith("sha256:"):
        return {"upload": ref}
    return {"image" if ":" in ref or service["source"]["type"] != "git" else "ref": ref}
