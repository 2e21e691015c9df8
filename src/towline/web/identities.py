"""HTTP: the identities of the caller at providers, as API and as a page."""

from html import escape

from fastapi import Request
from sqlalchemy import select
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.audit import record
from towline.actions.credentials import Credential, check_recent_proof
from towline.actions.identities.administration import get_provider, list_providers
from towline.actions.identities.linking import confirm_link, list_identities, unlink
from towline.actions.platform import Platform
from towline.actions.sessions import end_provider_sessions
from towline.contract.identities import Identity, IdentityList
from towline.errors import Unauthenticated
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.identities import Identity as IdentityRow
from towline.models.identities import IdentityProvider
from towline.web.arrivals import find_person, with_error_page
from towline.web.deps import Call, get_platform
from towline.web.forms import read_form, redirect
from towline.web.operations import OperationRouter
from towline.web.pages import PROJECTS, account_tabs, page

router = OperationRouter()
_PAGE = "/account/identities"


@router.operation("identities.list")
async def list_(call: Call) -> IdentityList:
    """The caller's identities, oldest first."""
    rows = await list_identities(call.session, call.caller.user_id)
    return IdentityList(
        items=[
            Identity(
                id=identity.id,
                provider=provider.name,
                title=provider.title,
                email=identity.email,
                created_at=identity.created_at,
                last_used_at=identity.last_used_at,
            )
            for identity, provider in rows
        ]
    )


@router.operation("identities.delete")
async def delete(call: Call) -> None:
    """Unlink an identity."""
    identity = await _remove(call.platform, call.work, call.credential, call.path["identity"])
    call.note(identity.id, email=identity.email)


async def show_identities(request: Request) -> Response:
    """A person's identities, and the providers that can be added."""
    person = await find_person(request)
    if person is None:
        return redirect(f"/sign-in?next={_PAGE}")
    async with get_platform(request).database.transaction() as work:
        mine = await list_identities(work.session, person.caller.user_id)
        providers = await list_providers(work.session, only_enabled=True)
    rows = "".join(_row(identity, provider) for identity, provider in mine) or "<p>None is linked yet.</p>"
    choices = "".join(_choice(provider) for provider in providers)
    if not choices:
        choices = '<p class="hint">No provider is set up here; administrators add them under Platform, Sign-in.</p>'
    told = f"<p>Other providers by which you, {escape(person.caller.email)}, can sign in.</p>"
    body = account_tabs(_PAGE) + told + rows + choices
    return page(title="Identities", body=body, status=200, headers={}, has_form=True, way_on=PROJECTS)


async def change_identities(request: Request) -> Response:
    """Add the identity of a ticket, or remove one."""
    person = await find_person(request)
    if person is None:
        raise Unauthenticated("You are not signed in.", hint="Sign in first.")
    form = await read_form(request)
    if form.get("ticket"):
        await _confirm(request, person, form["ticket"])
    else:
        await _unlink(request, person, form.get("unlink", ""))
    return redirect(_PAGE)


async def _confirm(request: Request, person: Credential, ticket: str) -> None:
    async with get_platform(request).database.transaction() as work:
        user = (await work.session.scalars(select(User).where(User.id == person.caller.user_id))).one()
        await confirm_link(work, user, ticket, address=person.caller.address)


async def _unlink(request: Request, person: Credential, identity_id: str) -> None:
    platform = get_platform(request)
    async with platform.database.transaction() as work:
        identity = await _remove(platform, work, person, identity_id)
        record(work, person.caller, "identities.delete", object_id=identity.id, detail={"email": identity.email})


async def _remove(platform: Platform, work: Work, person: Credential, identity_id: str) -> IdentityRow:
    """Unlink an identity, whose account may be in other hands: sessions that were opened by it end, but this one."""
    check_recent_proof(person)
    caller = person.caller
    identity = await unlink(work, caller.user_id, identity_id)
    provider = await get_provider(work.session, identity.provider_id)
    await end_provider_sessions(platform, work, provider.name, user_id=caller.user_id, except_id=caller.session_id)
    return identity


def _row(identity: IdentityRow, provider: IdentityProvider) -> str:
    who = escape(identity.email or identity.subject)
    return (
        f'<form method="post" action="{_PAGE}"><p><strong>{escape(provider.title)}</strong> {who} '
        f'<button type="submit" name="unlink" value="{escape(identity.id)}">Unlink</button></p></form>'
    )


def _choice(provider: IdentityProvider) -> str:
    return (
        f'<form method="post" action="/sign-in/with/{escape(provider.name)}/link">'
        f'<p><button type="submit">Link {escape(provider.title)}</button></p></form>'
    )


_as_page = with_error_page("Identities", link=_PAGE, link_text="Back to your identities")
router.routes.append(Route(_PAGE, _as_page(show_identities), methods=["GET"], name="identities-page"))
router.routes.append(Route(_PAGE, _as_page(change_identities), methods=["POST"], name="identities-change"))
