"""The page of the providers by which a visitor can sign in."""

from typing import Final

from sqlalchemy import select

from towline.actions.identities.linking import confirm_link
from towline.models.accounts import User
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.security import needs_proof
from towline.web.deps import get_platform

_PAGE: Final = "/account/identities"


async def show_identities(visit: Visit) -> View:
    """The visitor's identities, and the providers that can be added."""
    mine, providers = await visit.ask_all(wanting("identities.list"), wanting("identityProviders.listForSignIn"))
    values = {"identities": mine["items"], "providers": providers["items"], "needs_proof": needs_proof(visit)}
    return View("identities.html", "Identities", values)


async def change_identities(visit: Visit, fields: Fields) -> str:
    """Add the identity of a ticket, or remove one."""
    if ticket := text(fields, "ticket"):
        await _confirm(visit, ticket)
    else:
        await visit.ask("identities.delete", identity=text(fields, "unlink") or "none")
    return _PAGE


async def _confirm(visit: Visit, ticket: str) -> None:
    """Only the browser that came back from the provider holds a ticket, so that no operation takes one."""
    caller = visit.caller
    async with get_platform(visit.request).database.transaction() as work:
        user = (await work.session.scalars(select(User).where(User.id == caller.user_id))).one()
        await confirm_link(work, user, ticket, address=caller.address)
