"""HTTP: the gates of protected environments: what Traefik asks of each request, and where a member gets a pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from fastapi import Request
from sqlalchemy import select
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.actions.protection.links import SHARE_PATH
from towline.actions.protection.passes import (
    VALID_FOR,
    Gate,
    find_gate,
    is_admitted,
    make_link_pass,
    make_member_pass,
    may_visit,
)
from towline.actions.routes import route_url
from towline.actions.tickets import issue_ticket, use_ticket
from towline.errors import NotFound, TowlineError, Unauthenticated
from towline.infra.database import Work
from towline.models.services import Route as RouteRow
from towline.models.services import Workload
from towline.web.addresses import is_secure
from towline.web.arrivals import find_person
from towline.web.cookies import full_name, read_cookie, set_cookie
from towline.web.deps import get_platform
from towline.web.forms import error_page, read_query, redirect
from towline.web.operations import OperationRouter
from towline.web.pages import page_elsewhere
from towline.web.problems import problem_response

router = OperationRouter()
COOKIE: Final = "towline_pass"
_RETURN_PATH: Final = "/_towline/pass"
_TICKET: Final = "gate"
_TICKET_VALID_FOR: Final = timedelta(minutes=1)
_LONGEST_PATH: Final = 2000


@dataclass(frozen=True, slots=True)
class _Visit:
    """The request that Traefik asks about, as it says itself; it alone can have written these headers."""

    request: Request
    method: str
    host: str
    path: str
    query: str

    @property
    def origin(self) -> str:
        """Scheme, host and port as the visitor sees them."""
        return f"{'https' if is_secure(self.request) else 'http'}://{self.host}"

    @property
    def name(self) -> str:
        """The host without its port."""
        return (urlsplit(f"//{self.host}").hostname or "").lower()

    @property
    def place(self) -> str:
        """Path and query, to come back to."""
        return f"{self.path}?{self.query}" if self.query else self.path


async def ask(request: Request) -> Response:
    """Whether a request may pass; otherwise what its sender gets instead. Nobody passes where this cannot be told."""
    platform = get_platform(request)
    visit = _read(request)
    try:
        gate = await find_gate(platform, request.path_params["environment"])
        if gate is None:
            return _refusal(visit, NotFound("No app answers at this address."), title="Nothing is here")
        return await _decide(platform, gate, visit)
    except TowlineError as error:
        return _refusal(visit, error, title="Not now")


async def get_pass(request: Request) -> Response:
    """Give a member a ticket that the app's host takes for a pass; to sign in first where nobody is."""
    platform, query = get_platform(request), read_query(request, longest=_LONGEST_PATH)
    environment_id = request.path_params["environment"]
    person = await find_person(request)
    if person is None:
        wanted = f"/gates/{quote(environment_id)}?{urlencode({name: query.get(name, '') for name in ('host', 'to')})}"
        return redirect(f"/sign-in?{urlencode({'next': wanted})}")
    missing = NotFound(
        "There is no such app, or you may not see it.", hint="Ask a member of its project to let you in."
    )
    gate = await find_gate(platform, environment_id)
    if gate is None or not await may_visit(platform, gate, person.caller):
        return error_page(missing, title="Not found")
    async with platform.database.transaction() as work:
        route = await _find_route(work, gate, query.get("host", ""))
        if route is None:
            return error_page(missing, title="Not found")
        content = {"environment": gate.environment_id, "host": route.host, "session": person.caller.session_id}
        ticket = await issue_ticket(
            work, _TICKET, user_id=person.caller.user_id, content=content, valid_for=_TICKET_VALID_FOR
        )
    target = route_url(platform, host=route.host, certificate=route.certificate)
    return redirect(f"{target}{_RETURN_PATH}?{urlencode({'ticket': ticket, 'to': query.get('to', '/')})}")


async def _decide(platform: Platform, gate: Gate, visit: _Visit) -> Response:
    if gate.is_open:
        return _admission(visit)
    if visit.path == _RETURN_PATH:
        return await _take_ticket(platform, gate, visit)
    if visit.path.startswith(SHARE_PATH):
        return _take_link(platform, gate, visit)
    value = read_cookie(visit.request, COOKIE)
    if value and await is_admitted(platform, gate, host=visit.name, value=value):
        return _admission(visit)
    return _turn_away(platform, gate, visit)


async def _take_ticket(platform: Platform, gate: Gate, visit: _Visit) -> Response:
    query = {name: values[0] for name, values in parse_qs(visit.query).items()}
    async with platform.database.transaction() as work:
        content = (await use_ticket(work, _TICKET, query.get("ticket", ""))).content
    if (content["environment"], content["host"]) != (gate.environment_id, visit.name):
        return _turn_away(platform, gate, visit)
    value = make_member_pass(platform, gate.environment_id, host=visit.name, session_id=content["session"])
    return _with_pass(visit, value, to=_own_path(query.get("to", "")))


def _take_link(platform: Platform, gate: Gate, visit: _Visit) -> Response:
    secret = visit.path.removeprefix(SHARE_PATH)
    value = make_link_pass(platform, gate, host=visit.name, secret=secret)
    if value is None:
        return _turn_away(platform, gate, visit)
    return _with_pass(visit, value, to="/")


def _with_pass(visit: _Visit, value: str, *, to: str) -> Response:
    # Whole, since Traefik would take a path alone for one of Towline's own.
    response = redirect(f"{visit.origin}{to}")
    set_cookie(visit.request, response, COOKIE, value, valid_for=VALID_FOR)
    return response


def _admission(visit: _Visit) -> Response:
    """Traefik passes on the cookies that this answer holds: all of the app's own, and never the pass."""
    own = full_name(visit.request, COOKIE)
    lines = visit.request.headers.getlist("cookie")
    parts = [part.strip() for line in lines for part in line.split(";")]
    kept = [part for part in parts if part and part.partition("=")[0].strip() != own]
    return Response(status_code=200, headers={"Cookie": "; ".join(kept)} if kept else {})


def _turn_away(platform: Platform, gate: Gate, visit: _Visit) -> Response:
    """A person on the way to a page is sent to sign in, or told of the link; everything else is refused."""
    home = platform_url(platform)
    to = "/" if visit.path == _RETURN_PATH or visit.path.startswith(SHARE_PATH) else visit.place
    sign_in = f"{home}/gates/{gate.environment_id}?{urlencode({'host': visit.name, 'to': to})}"
    is_page = visit.method == "GET" and "text/html" in visit.request.headers.get("accept", "")
    if is_page and gate.protection == "sign_in" and visit.path != _RETURN_PATH:
        return redirect(sign_in)
    hint = "Ask whoever gave you the address for its link." if gate.protection == "link" else "Sign in to Towline."
    refusal = Unauthenticated("This address is not open to everybody.", hint=hint)
    return _refusal(visit, refusal, title="Not open to everybody", link=sign_in)


def _refusal(visit: _Visit, error: TowlineError, *, title: str, link: str = "") -> Response:
    if visit.method not in {"GET", "HEAD"}:
        return problem_response(error, headers={"Cache-Control": "no-store"})
    text = "I am a member: sign in" if link else ""
    return page_elsewhere(visit.request, error, title=title, headers={}, link=link, link_text=text)


def _read(request: Request) -> _Visit:
    headers: Mapping[str, str] = request.headers
    path, _, query = headers.get("x-forwarded-uri", "/").partition("?")
    method = headers.get("x-forwarded-method", "GET").upper()
    return _Visit(request, method, headers.get("x-forwarded-host", ""), path, query)


def _own_path(path: str) -> str:
    """A path of the same host; the first page where it could be read as anything else."""
    is_plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_plain and len(path) <= _LONGEST_PATH else "/"


async def _find_route(work: Work, gate: Gate, host: str) -> RouteRow | None:
    query = (
        select(RouteRow)
        .join(Workload, Workload.id == RouteRow.workload_id)
        .where(Workload.environment_id == gate.environment_id, RouteRow.host == host.lower())
        .limit(1)
    )
    return (await work.session.scalars(query)).first()


router.routes.append(Route("/_towline/gates/{environment}", ask, methods=["GET"], name="gate"))
router.routes.append(Route("/gates/{environment}", get_pass, methods=["GET"], name="get-pass"))
