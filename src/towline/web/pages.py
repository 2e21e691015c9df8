"""HTTP: the few pages that need no sign-in: what Traefik shows for an unknown or stopped app, and the front door."""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from typing import Final

from fastapi import Request
from starlette.responses import Response
from starlette.routing import Route

from towline import __version__
from towline.actions.installation import platform_url
from towline.contract.base import API_PREFIX
from towline.errors import NotFound, TowlineError, Unavailable
from towline.web.deps import get_platform
from towline.web.operations import OperationRouter
from towline.web.problems import problem_response

router = OperationRouter()
_RETRY_SECONDS: Final = 5
_WAKING_SECONDS: Final = 2
_STYLE: Final = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center}"
    "main{max-width:34rem;padding:2rem}h1{font-size:1.5rem;margin:0 0 .5rem}p{margin:.5rem 0}"
)
_MARK: Final = "/_towline/assets/mark.svg"
_STYLE_SHEET: Final = "/_towline/assets/towline.css"
_HOME: Final = ("/", "Start page")


async def get_error_page(request: Request) -> Response:
    """What Traefik shows instead of its own answer, as HTML or, for programs, as a problem."""
    name = request.path_params["status"]
    title, error = _PAGES.get(name, _PAGES["404"])
    return page_elsewhere(request, error, title=title, headers=_headers(error))


def page_elsewhere(
    request: Request,
    error: TowlineError,
    *,
    title: str,
    headers: Mapping[str, str],
    link: str = "",
    link_text: str = "",
) -> Response:
    """What is wrong, shown at the address of an app: as HTML or, for programs, as a problem."""
    own = {"Cache-Control": "no-store", **headers}
    if not wants_html(request):
        return problem_response(error, headers=own)
    body = f"<h1>{escape(title)}</h1><p>{said(error.message)}</p><p>{said(error.hint)}</p>"
    if link:
        body += f'<p><a href="{escape(link)}">{escape(link_text)}</a></p>'
    return _plain(title, body, status=error.status, headers=own)


def plain_page(title: str, body: str, *, headers: Mapping[str, str]) -> Response:
    """A page that needs nothing else from Towline, which may not answer by then; `body` is HTML."""
    own = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", **headers}
    return _plain(title, f"<h1>{escape(title)}</h1>{body}", status=200, headers=own)


async def get_front_page(request: Request) -> Response:
    """The platform's own host: what runs here, where its API is, and what to do first."""
    url = escape(platform_url(get_platform(request)))
    body = (
        '<p><a class="button primary" href="/sign-in">Sign in</a></p>'
        "<p>Nobody has an account yet? The set-up link that <code>towline up</code> printed on the server makes you "
        "its administrator.</p>"
        "<h2>From your own computer</h2>"
        f'<ol class="commands"><li><code>towline login {url}</code></li>'
        "<li><code>towline deploy</code>, in the folder of what you want to run</li></ol>"
        f'<p class="hint">Programs find the API at <code>{url}{API_PREFIX}</code>.</p>'
        f'<footer class="foot">Towline {escape(__version__)}</footer>'
    )
    return page(title="Towline runs here", body=body, status=200, headers={}, way_on=None)


def said(text: str) -> str:
    """A sentence as HTML; what stands between backticks is something to type."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def page(
    *,
    title: str,
    body: str,
    status: int,
    headers: dict[str, str],
    has_form: bool = False,
    script: str = "",
    way_on: tuple[str, str] | None = _HOME,
) -> Response:
    """A page of Towline's own host for people who need not be signed in; never kept by a cache.

    `way_on` is the address and the words of the link that its bar offers.
    """
    module = f'<script type="module" src="{escape(script)}"></script>' if script else ""
    sheet = f'<link rel="icon" href="{_MARK}" type="image/svg+xml"><link rel="stylesheet" href="{_STYLE_SHEET}">'
    mark = f'<img src="{_MARK}" alt="" width="24" height="24">'
    bar = f'<header class="bar"><a class="brand" href="/" aria-label="Towline">{mark}'
    onward = f'<span class="grow"></span><a href="{way_on[0]}">{way_on[1]}</a>' if way_on else ""
    html = (
        f"{_head(escape(title))}{sheet}{module}</head><body>{bar}<span>Towline</span></a>{onward}</header>"
        f'<main class="narrow-page stack"><h1>{escape(title)}</h1>{body}</main></body></html>'
    )
    own = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": _policy(has_form=has_form, has_script=bool(script)),
        "X-Frame-Options": "DENY",
        # Paths may hold the value of a link. Not `no-referrer`: forms would then say that they come from nowhere.
        "Referrer-Policy": "same-origin",
        **headers,
    }
    return Response(html, status, media_type="text/html", headers=own)


_PAGES: Final[Mapping[str, tuple[str, TowlineError]]] = {
    "404": (
        "Nothing is here",
        NotFound(
            "No app answers at this address.",
            hint="Check the address; if it is yours, add it as a domain of a service and deploy that.",
        ),
    ),
    "503": (
        "This app is not running",
        Unavailable(
            "The app at this address has no running instance at the moment.",
            hint="Try again in a moment; if you run it, look at its status and its log.",
        ),
    ),
    "maintenance": (
        "Down for maintenance",
        Unavailable(
            "The app at this address was stopped by those who run it.",
            hint="Try again later; if you run it, start it again.",
        ),
    ),
    "waking": (
        "This app is waking up",
        Unavailable(
            "The app at this address sleeps while nobody asks for it, and is being started for you.",
            hint="This page loads again by itself until the app answers.",
        ),
    ),
}


def waking_page(request: Request) -> Response:
    """Says that an app is being started; a browser asks again by itself, without any script."""
    title, error = _PAGES["waking"]
    seconds = str(_WAKING_SECONDS)
    return page_elsewhere(request, error, title=title, headers={"Refresh": seconds, "Retry-After": seconds})


def _headers(error: TowlineError) -> dict[str, str]:
    return {"Retry-After": str(_RETRY_SECONDS)} if error.status == 503 else {}


def wants_html(request: Request) -> bool:
    """Whether a page is shown rather than a problem in JSON."""
    accept = request.headers.get("accept", "")
    return "html" in accept or "json" not in accept


def _head(title: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{title}</title>'
    )


def _policy(*, has_form: bool, has_script: bool) -> str:
    forms = "'self'" if has_form else "'none'"
    own = "script-src 'self'; connect-src 'self'; " if has_script else ""
    return (
        f"default-src 'none'; {own}style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action {forms}; "
        "frame-ancestors 'none'"
    )


def _plain(title: str, body: str, *, status: int, headers: Mapping[str, str]) -> Response:
    html = f"{_head(escape(title))}<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    own = {**headers, "Content-Security-Policy": _plain_policy(), "X-Frame-Options": "DENY"}
    return Response(html, status, media_type="text/html", headers=own)


@cache
def _plain_policy() -> str:
    """For pages without a style sheet of ours, as at the addresses of apps, where none can be had."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


router.routes.append(Route("/_towline/pages/{status}", get_error_page, methods=["GET"], name="error-page"))
