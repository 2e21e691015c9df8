"""The page of the base domain: what DNS says of one, what it would change, and setting it."""

from html import escape
from urllib.parse import urlsplit

from starlette.responses import Response

from towline.errors import NotFound
from towline.web.dashboard.answers import View, is_script
from towline.web.dashboard.asking import Json, Refused, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.instance import check_administers
from towline.web.dashboard.security import needs_proof
from towline.web.pages import plain_page

_RESTART_SECONDS = 20


async def show_domain(visit: Visit) -> View:
    """The base domain, and another one that was asked for."""
    check_administers(visit)
    platform, own, former = await visit.ask_all(
        wanting("platform.get"), wanting("platform.checkDomain"), wanting("platform.listFormerHosts")
    )
    asked = visit.request.query_params.get("domain", "").strip()
    wanted, is_odd = await _look_up(visit, asked) if asked else (None, False)
    values = {
        "platform": platform,
        "own": own,
        "former": former["items"],
        "asked": asked,
        "wanted": wanted,
        "is_odd": is_odd,
        "needs_proof": needs_proof(visit),
        "has_password": visit.credential.has_password,
    }
    return View("domain.html", "Domain", values, connects=_origin(wanted["change"]["url"]) if wanted else "")


async def set_domain(visit: Visit, fields: Fields) -> str | Response:
    """Set the base domain: to where Towline moves, which a script waits for and a page without one offers."""
    body = {"base_domain": text(fields, "domain"), "even_if_unreachable": fields.get("even_if_unreachable") == "on"}
    moved = await visit.ask("platform.update", body=body)
    if not moved["is_restarting"]:
        return "/instance/domain"
    return str(moved["url"]) if is_script(visit.request) else _between(visit, str(moved["url"]))


async def retire_former_host(visit: Visit, fields: Fields) -> str:
    """Let a former address lead here no more."""
    host = text(fields, "host")
    if not host:
        raise NotFound("There is no such former address.")
    await visit.ask("platform.retireFormerHost", host=host)
    return "/instance/domain"


async def _look_up(visit: Visit, asked: str) -> tuple[Json | None, bool]:
    """What is known of a domain, unless it is the one there is; and whether it is none at all."""
    try:
        found = await visit.ask("platform.checkDomain", query={"domain": asked})
    except Refused as error:
        if error.status != 422:
            raise
        return None, True
    return (found if found["change"] else None), False


def _between(visit: Visit, url: str) -> Response:
    """What is read while Towline starts again."""
    here, there = escape(_origin(str(visit.request.url))), escape(url)
    body = (
        "<p>This takes some seconds, in which the dashboard does not answer. Then it is at its new address, where you "
        f'sign in again: <a href="{there}">{there}</a>. This page goes there by itself.</p>'
        f'<p>If it cannot be reached there, <a href="{here}">{here}</a> is where you come from; '
        "the server's bare address leads to the dashboard in any case.</p>"
    )
    headers = {"Refresh": f"{_RESTART_SECONDS}; {url}"}
    return plain_page("Towline starts again with the new domain", body, headers=headers)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
