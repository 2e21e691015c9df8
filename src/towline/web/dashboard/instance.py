"""Pages of the whole instance, for its administrators: health, users, the audit log."""

from towline.actions.access import Permission
from towline.errors import NotFound
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text


async def show_instance(visit: Visit) -> View:
    """How Towline itself is, and who has an account."""
    return await _instance(visit, None)


async def invite(visit: Visit, fields: Fields) -> View:
    """Invite somebody to the instance."""
    body = {"email": text(fields, "email"), "is_administrator": fields.get("is_administrator") == "on"}
    return await _instance(visit, await visit.ask("invitations.create", body=body))


async def change_user(visit: Visit, fields: Fields) -> str:
    """Disable or enable a user, or change who administers."""
    name = text(fields, "field")
    if name not in {"is_disabled", "is_administrator"}:
        raise NotFound("There is no such setting of a user.")
    body = {name: fields.get("value") == "true"}
    await visit.ask("users.update", user=text(fields, "user"), body=body)
    return "/instance"


async def show_audit(visit: Visit) -> View:
    """What was changed anywhere, and what was refused."""
    query = {"limit": 50, "cursor": visit.request.query_params.get("cursor")}
    found, users = await visit.ask_all(wanting("audit.list", query=query), wanting("users.list", query={"limit": 200}))
    people = {user["id"]: user["email"] for user in users["items"]}
    values = {"project": None, "people": people, "entries": found["items"], "next_cursor": found["next_cursor"]}
    return View("audit.html", "Audit log", values)


async def _instance(visit: Visit, made: Json | None) -> View:
    if not visit.may(Permission.ADMINISTER):
        raise NotFound("There is nothing here, or you may not see it.")
    query = {"limit": 100, "cursor": visit.request.query_params.get("cursor")}
    platform, users, invitations = await visit.ask_all(
        wanting("platform.get"), wanting("users.list", query=query), wanting("invitations.list", query={"limit": 100})
    )
    values = {
        "platform": platform,
        "users": users["items"],
        "next_cursor": users["next_cursor"],
        "invitations": invitations["items"],
        "made": made,
        "me": visit.caller.user_id,
    }
    return View("instance.html", "Instance", values)
