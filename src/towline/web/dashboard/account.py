"""Pages of the visitor's own account: API keys and sessions."""

from datetime import timedelta

from towline.actions.access import Permission
from towline.models.base import utc_now
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit
from towline.web.dashboard.fields import Fields, number, text


async def show_keys(visit: Visit) -> View:
    """The visitor's API keys."""
    return await _keys(visit, None)


async def create_key(visit: Visit, fields: Fields) -> View:
    """A new key, shown this once."""
    days = number(fields, "days")
    body: Json = {"name": text(fields, "name"), "scopes": [text(fields, "scope") or "*"]}
    if project := text(fields, "project"):
        body["project"] = project
    if days:
        body["expires_at"] = (utc_now() + timedelta(days=min(days, 3650))).isoformat()
    return await _keys(visit, await visit.ask("keys.create", body=body))


async def revoke_key(visit: Visit, fields: Fields) -> str:
    """End a key."""
    await visit.ask("keys.delete", key=text(fields, "key"))
    return "/account/keys"


async def show_sessions(visit: Visit) -> View:
    """Where the visitor is signed in."""
    sessions = (await visit.ask("sessions.list", query={"limit": 100}))["items"]
    return View("sessions.html", "Sessions", {"sessions": sessions})


async def end_session(visit: Visit, fields: Fields) -> str:
    """End one session."""
    await visit.ask("sessions.delete", session=text(fields, "session"))
    return "/account/sessions"


async def end_other_sessions(visit: Visit, _: Fields) -> str:
    """End every other session."""
    await visit.ask("sessions.deleteOthers")
    return "/account/sessions"


async def _keys(visit: Visit, made: Json | None) -> View:
    keys = (await visit.ask("keys.list", query={"limit": 100}))["items"]
    values = {"keys": keys, "made": made, "scopes": [permission.value for permission in Permission]}
    return View("keys.html", "API keys", values)
