"""HTTP: the way of a browser to an identity provider and back, which ends signed in or with an identity to confirm."""

import re
import secrets
from collections.abc import Awaitable, Callable
from html import escape
from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import Request
from sqlalchemy.exc import DBAPIError
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.credentials import Credential, check_recent_proof
from towline.actions.identities.arriving import VALID_FOR, Arrival, Departure, arrive, depart
from towline.actions.identities.linking import find_or_add_user, offer_link
from towline.actions.installation import platform_url
from towline.actions.limits import network_of
from towline.actions.pacing import count_start
from towline.actions.sessions import PROVIDER_METHOD
from towline.actions.sign_in import complete_first_factor
from towline.errors import Forbidden, TowlineError, Unauthenticated
from towline.web.addresses import client_address
from towline.web.auth import find_caller
from towline.web.cookies import delete_cookie, read_cookie, set_cookie
from towline.web.deps import get_platform
from towline.web.entrance import go_on
from towline.web.forms import error_page, read_query, redirect
from towline.web.operations import OperationRouter
from towline.web.pages import page
from towline.web.problems import problem_of_database
from towline.web.sessions import device_of

router = OperationRouter()
COOKIE: Final = "towline_sign_in"
_MOST_ARRIVALS: Final = 60
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
Page = Callable[[Request], Awaitable[Response]]


async def find_person(request: Request) -> Credential | None:
    """Whose browser it is, None for nobody's; a person signs in with a session, a key does not count."""
    try:
        credential = await find_caller(request)
    except Unauthenticated:
        return None
    return credential if credential is not None and credential.caller.session_id else None


def with_error_page(title: str, *, link: str, link_text: str) -> Callable[[Page], Page]:
    """Show what is refused as a page, and note it."""

    def wrap(endpoint: Page) -> Page:
        async def serve(request: Request) -> Response:
            try:
                return await endpoint(request)
            except DBAPIError as error:
                problem = problem_of_database(error)
                if problem is None:
                    raise
                return error_page(problem, title=title, link=link, link_text=link_text)
            except TowlineError as error:
                await _note_refused(request, error)
                return error_page(error, title=title, link=link, link_text=link_text)

        return serve

    return wrap


async def start_sign_in(request: Request) -> Response:
    """Send the browser to the provider, from the host that it will come back to."""
    platform, name = get_platform(request), request.path_params["name"]
    next_path = read_query(request).get("next", "")
    home = platform_url(platform)
    if request.url.hostname != urlsplit(home).hostname:
        return redirect(f"{home}/sign-in/with/{quote(name)}" + (f"?next={quote(next_path)}" if next_path else ""))
    source = network_of(client_address(request))
    await count_start(platform, "going to a provider", source=source, most=_MOST_ARRIVALS)
    url, secret = await depart_from(request, name, next_path=next_path)
    response = redirect(url)
    set_cookie(request, response, COOKIE, secret, valid_for=VALID_FOR)
    return response


async def start_link(request: Request) -> Response:
    """The same for somebody who is signed in and wants to add an identity.

    A page between, since browsers let no form of ours lead to another site.
    """
    person = await find_person(request)
    if person is None:
        raise Unauthenticated("You are not signed in.", hint="Sign in first.")
    check_recent_proof(person)
    url, secret = await depart_from(
        request, request.path_params["name"], user_id=person.caller.user_id, next_path="/account/identities"
    )
    body = f'<p><a href="{escape(url)}">Go on to the provider</a></p>'
    response = page(title="Link an identity", body=body, status=200, headers={"Refresh": f"0; url={url}"})
    set_cookie(request, response, COOKIE, secret, valid_for=VALID_FOR)
    return response


async def depart_from(request: Request, name: str, *, user_id: str = "", next_path: str = "") -> tuple[str, str]:
    """Where to send the browser, and the secret that it has to hold."""
    held = read_cookie(request, COOKIE)
    secret = held if _SECRET.fullmatch(held) else secrets.token_urlsafe(32)
    departure = Departure(secret, user_id=user_id, next_path=next_path)
    return await depart(get_platform(request), name, departure), secret


async def finish(request: Request) -> Response:
    """The browser comes back: signed in, asked for a second factor, or asked to confirm an identity."""
    platform = get_platform(request)
    query = read_query(request)
    source = network_of(client_address(request))
    await count_start(platform, "sign-in by a provider", source=source, most=_MOST_ARRIVALS)
    arrival = await arrive(platform, request.path_params["name"], query, secret=read_cookie(request, COOKIE))
    response = await (_offer(request, arrival) if arrival.user_id else _sign_in(request, arrival))
    delete_cookie(request, response, COOKIE)
    return response


async def _sign_in(request: Request, arrival: Arrival) -> Response:
    platform, address = get_platform(request), client_address(request)
    async with platform.database.transaction() as work:
        user = await find_or_add_user(platform, work, arrival, address=address)
        method = f"{PROVIDER_METHOD}{arrival.provider.name}"
        outcome = await complete_first_factor(
            platform, work, user, method=method, device=device_of(request), address=address
        )
    return await go_on(request, outcome, next_path=arrival.next_path)


async def _offer(request: Request, arrival: Arrival) -> Response:
    """Whoever is at the provider must be shown before the identity is added: it may be another's account there."""
    person = await find_person(request)
    if person is None or person.caller.user_id != arrival.user_id:
        raise Forbidden("You are not signed in any more as who began this.", hint="Sign in, and begin again.")
    async with get_platform(request).database.transaction() as work:
        ticket = await offer_link(work, arrival)
    who = escape(arrival.profile.email or arrival.profile.name or arrival.profile.subject)
    body = (
        f"<p>At {escape(arrival.provider.title)} you are <strong>{who}</strong>.</p>"
        "<p>Whoever can sign in there as this account can then sign in here as you.</p>"
        f'<form method="post" action="/account/identities"><input type="hidden" name="ticket" value="{escape(ticket)}">'
        '<p><button type="submit">Link it to my account</button></p></form>'
        '<p><a href="/account/identities">Do not link it</a></p>'
    )
    return page(title="Link an identity", body=body, status=200, headers={}, has_form=True)


async def _note_refused(request: Request, error: TowlineError) -> None:
    if not isinstance(error, Forbidden | Unauthenticated):
        return
    address = client_address(request)
    if request.app.state.refusal_limit.allows(f"address {address}"):
        detail = {"reason": error.message, "provider": request.path_params.get("name", "")}
        async with get_platform(request).database.transaction() as work:
            caller = Caller("", address=address)
            record(work, caller, "sessions.create", outcome="refused", detail=detail)


_as_page = with_error_page("Sign in", link="/sign-in", link_text="To the sign-in page")
_PATH: Final = "/sign-in/with/{name}"
router.routes.append(Route(_PATH, _as_page(start_sign_in), methods=["GET"], name="sign-in-with"))
router.routes.append(Route(f"{_PATH}/callback", _as_page(finish), methods=["GET"], name="sign-in-callback"))
router.routes.append(Route(f"{_PATH}/link", _as_page(start_link), methods=["POST"], name="sign-in-link"))
