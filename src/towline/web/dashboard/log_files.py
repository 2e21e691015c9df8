"""Logs as plain text, to be kept: the whole of what is stored, asked for page by page."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Final

from starlette.responses import Response, StreamingResponse

from towline.errors import TowlineError
from towline.web.dashboard.asking import Ask, Json, Visit

_LINES_AT_ONCE: Final = 10_000


async def download_service_log(visit: Visit) -> Response:
    """What the instances of a service printed, by text and level where they are given."""
    given = visit.request.query_params
    chosen = {name: given.get(name) or None for name in ("environment", "query", "level", "since")}
    return await _download(visit, "services.getLogs", chosen, name=f"{visit.path['service']}.log")


async def download_deployment_log(visit: Visit) -> Response:
    """What happened in a deployment."""
    return await _download(visit, "deployments.getLogs", {}, name=f"{visit.path['deployment']}.log")


async def _download(visit: Visit, operation: str, chosen: Mapping[str, str | None], *, name: str) -> Response:
    """The first page is asked for before anything is answered, so that a refusal is a page."""
    first = await visit.send(_ask(visit, operation, chosen, since=chosen.get("since") or "1"))

    async def texts() -> AsyncGenerator[str]:
        page = first
        with suppress(TowlineError):  # what is refused or not to be had later on ends the file
            while page["items"]:
                yield "".join(_text(line) for line in page["items"])
                page = await visit.send(_ask(visit, operation, chosen, since=str(page["next_sequence"])))

    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(texts(), media_type="text/plain; charset=utf-8", headers=headers)


def _ask(visit: Visit, operation: str, chosen: Mapping[str, str | None], *, since: str) -> Ask:
    return Ask(operation, visit.path, {**chosen, "since": since, "limit": _LINES_AT_ONCE})


def _text(line: Json) -> str:
    return f"{line['at']} {line['level']:<7} {line['message']}\n"
