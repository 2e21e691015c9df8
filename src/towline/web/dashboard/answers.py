"""Answers of the dashboard: whole pages, redirects after forms, refusals, each with the same strict headers."""

import gzip
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from sqlalchemy.exc import DBAPIError
from starlette.responses import Response

from towline import __version__
from towline.actions.access import Permission
from towline.actions.live.hub import LiveHub
from towline.errors import TowlineError, Unauthenticated
from towline.models.base import utc_now
from towline.web.answering import json_response
from towline.web.arrivals import find_person
from towline.web.dashboard.asking import Visit
from towline.web.dashboard.refusals import for_pages, show_again
from towline.web.dashboard.templating import render
from towline.web.deps import get_platform
from towline.web.forms import read_form, redirect
from towline.web.known import Known, share
from towline.web.origins import check_origin
from towline.web.problems import problem_of_database, problem_response

MAX_FORM_BYTES: Final = 1024 * 1024
_SMALLEST_PACKED: Final = 1024
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; connect-src 'self'"
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Encoding, X-Towline-Form",
}


@dataclass(frozen=True, slots=True)
class View:
    """One page: its template, what it is filled with, and the rooms whose events renew it.

    `connects` is the one other origin that its scripts may ask.
    """

    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rooms: tuple[str, ...] = ()
    project: str = ""
    status: int = 200
    connects: str = ""


Show = Callable[[Visit], Awaitable[View | Response]]
Obey = Callable[[Visit, Mapping[str, str]], Awaitable[str | View | Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def showing(show: Show) -> Endpoint:
    """The endpoint of a page."""

    async def serve(request: Request) -> Response:
        try:
            visit = await open_visit(request)
        except Unauthenticated:
            return redirect(f"/sign-in?next={quote(_here(request))}")
        share(request, Known(get_platform(request).database, visit.caller))
        hub: LiveHub = request.app.state.live
        since = await hub.get_newest_sequence()
        try:
            shown = await show(visit)
            return shown if isinstance(shown, Response) else await _answer(visit, shown, since=since)
        except TowlineError as error:
            return await _refusal(visit, error)
        except DBAPIError as error:
            return await _refusal(visit, _told(error))

    return serve


def obeying(obey: Obey) -> Endpoint:
    """The endpoint of a form: it is obeyed, then the browser is sent on to the path that comes back."""

    async def serve(request: Request) -> Response:
        check_origin(request, is_strict=True)
        try:
            visit = await open_visit(request)
        except Unauthenticated as error:
            return (
                problem_response(error) if is_script(request) else redirect(f"/sign-in?next={quote(_sender(request))}")
            )
        fields: Mapping[str, str] = {}
        try:
            fields = await read_form(request, most=MAX_FORM_BYTES)
            outcome = await obey(visit, fields)
        except TowlineError as error:
            return await _refusal(visit, error, fields)
        except DBAPIError as error:
            return await _refusal(visit, _told(error), fields)
        if isinstance(outcome, View):
            return await _answer(visit, outcome, sender=_sender(request))
        if isinstance(outcome, Response):
            return outcome
        return json_response({"to": outcome}) if is_script(request) else redirect(outcome)

    return serve


async def open_visit(request: Request) -> Visit:
    """The visit of whoever is signed in with this browser; Unauthenticated otherwise."""
    person = await find_person(request)
    if person is None:
        raise Unauthenticated("You are not signed in.", hint="Sign in first.")
    return Visit(request, person)


def html_response(request: Request, html: str, *, status: int = 200, connects: str = "") -> Response:
    """A page as the browser takes it; never kept by a cache. Its scripts may ask Towline, and the origin `connects`."""
    body, headers = html.encode(errors="replace"), dict(_HEADERS)
    headers["Content-Security-Policy"] = f"{_POLICY} {connects}".rstrip()
    if len(body) >= _SMALLEST_PACKED and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, media_type="text/html", headers=headers)


async def _answer(visit: Visit, view: View, *, since: int | None = None, sender: str = "") -> Response:
    """A page; what it shows is newer than the event `since`, from which on its script listens.

    A form's answer is a newer state of the page that sent it, and asked for again by that page's address.
    """
    caller = visit.caller
    projects = (await visit.ask("projects.list", query={"limit": 50}))["items"]
    values = {
        "title": view.title,
        "email": caller.email,
        "is_administrator": visit.may(Permission.ADMINISTER),
        "projects": projects,
        "current_project": view.project,
        "rooms": (*view.rooms, f"user:{caller.user_id}"),
        "since": since,
        "here": sender.partition("?")[0] or visit.request.url.path,
        "sender": sender,
        "now": utc_now().isoformat(timespec="seconds"),
        "version": __version__,
    }
    html = render(view.template, {**values, **view.values})
    return html_response(visit.request, html, status=view.status, connects=view.connects)


async def _refusal(visit: Visit, error: TowlineError, fields: Mapping[str, str] | None = None) -> Response:
    error = for_pages(error)
    if is_script(visit.request):
        return problem_response(error)
    if error.status == 401:
        return redirect("/sign-in")
    if fields and (again := await show_again(visit.request, _sender(visit.request), fields, error)):
        return again
    title = {404: "Nothing is here", 403: "You may not do this"}.get(error.status, "That did not work")
    back = (_sender(visit.request) if visit.request.method == "POST" else "") or "/"
    values = {"problem": error, "field": error.field, "back": back}
    return await _answer(visit, View("refused.html", title, values, status=error.status))


def _told(error: DBAPIError) -> TowlineError:
    problem = problem_of_database(error)
    if problem is None:
        raise error
    return problem


def _sender(request: Request) -> str:
    """The path and query of the page that sent a form; empty when that is not one of Towline's own."""
    own = f"{request.url.scheme}://{request.url.netloc}/"
    page = request.headers.get("referer", "")
    return "/" + page.removeprefix(own) if page.startswith(own) else ""


def is_script(request: Request) -> bool:
    """Whether a form was sent by the page's script, which then goes where the answer says."""
    return "x-towline-form" in request.headers


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
