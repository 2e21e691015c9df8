"""Pages of the whole instance, for its administrators: health, users, mail, sealed secrets."""

from typing import Any

from towline.actions.access import Permission
from towline.actions.mail import sends_mail
from towline.errors import NotFound, TowlineError
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.deps import get_platform


async def show_instance(visit: Visit) -> View:
    """How Towline itself is."""
    check_administers(visit)
    platform, health = await visit.ask_all(wanting("platform.get"), wanting("platform.getHealth"))
    return instance_view(visit, "instance.html", "Platform", {"platform": platform, "health": health})


async def show_users(visit: Visit) -> View:
    """Who has an account."""
    return await _users(visit, None)


async def invite(visit: Visit, fields: Fields) -> View:
    """Invite somebody to the instance."""
    body = {"email": text(fields, "email"), "is_administrator": fields.get("is_administrator") == "on"}
    return await _users(visit, await visit.ask("invitations.create", body=body))


async def revoke_invitation(visit: Visit, fields: Fields) -> str:
    """Take an invitation to the instance back."""
    await visit.ask("invitations.revoke", invitation=text(fields, "invitation"))
    return "/instance/users"


async def change_user(visit: Visit, fields: Fields) -> str:
    """Disable or enable a user, or change who administers."""
    name = text(fields, "field")
    if name not in {"is_disabled", "is_administrator"}:
        raise NotFound("There is no such setting of a user.")
    body = {name: fields.get("value") == "true"}
    await visit.ask("users.update", user=text(fields, "user"), body=body)
    return "/instance/users"


async def reset_password(visit: Visit, fields: Fields) -> View:
    """A link by which a user chooses a new password, shown this once."""
    made = await visit.ask("users.resetPassword", user=text(fields, "user"))
    return await _users(visit, {**made, "is_mailed": False, "is_password": True})


async def show_mail(visit: Visit) -> View:
    """Whether mail works."""
    return _mail(visit, {"tested": None, "problem": None})


async def test_mail(visit: Visit, fields: Fields) -> View:
    """Send a test mail; what the mail server said."""
    body = {"to": text(fields, "to")} if text(fields, "to") else {}
    try:
        return _mail(visit, {"tested": await visit.ask("mail.test", body=body), "problem": None})
    except TowlineError as error:
        if error.status in {403, 404, 422}:
            raise
        return _mail(visit, {"tested": None, "problem": error})


async def show_secrets(visit: Visit) -> View:
    """With which keys secrets are sealed."""
    check_administers(visit)
    return instance_view(visit, "secrets.html", "Sealed secrets", {"sealing": await visit.ask("secrets.getStatus")})


async def rotate_secrets(visit: Visit, _: Fields) -> str:
    """Seal all secrets with a new key."""
    await visit.ask("secrets.rotate")
    return "/instance/secrets"


def check_administers(visit: Visit) -> None:
    """Return for administrators of the instance; NotFound for everybody else."""
    if not visit.may(Permission.ADMINISTER):
        raise NotFound("There is nothing here, or you may not see it.")


def instance_view(visit: Visit, template: str, title: str, values: dict[str, Any]) -> View:
    """A page of the instance; NotFound for who does not administer it."""
    check_administers(visit)
    return View(template, title, values)


def _mail(visit: Visit, values: Json) -> View:
    shared = {"own_address": visit.caller.email, "has_mail": sends_mail(get_platform(visit.request))}
    return instance_view(visit, "mail.html", "Mail", {**values, **shared})


async def _users(visit: Visit, made: Json | None) -> View:
    check_administers(visit)
    query = {"limit": 100, "cursor": visit.request.query_params.get("cursor")}
    users, invitations = await visit.ask_all(
        wanting("users.list", query=query), wanting("invitations.list", query={"limit": 100})
    )
    values = {
        "users": users["items"],
        "next_cursor": users["next_cursor"],
        "invitations": invitations["items"],
        "made": made,
        "me": visit.caller.user_id,
    }
    return instance_view(visit, "users.html", "Users", values)
