"""Forms of Towline's own pages: read within a bound, answered with a page or a redirect."""

from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.responses import Response

from towline.errors import InvalidInput, TowlineError
from towline.web.bodies import read_at_most
from towline.web.pages import page, said

MAX_FORM_BYTES: Final = 16 * 1024
_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 50


async def read_form(request: Request, *, most: int = MAX_FORM_BYTES) -> Mapping[str, str]:
    """The fields of a form, the last of each name; TooLarge and InvalidInput for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise InvalidInput("This page takes a form.")
    body = await read_at_most(request, most, what="form")
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise InvalidInput("The form cannot be read.") from error


def read_query(request: Request, *, longest: int = 4096) -> Mapping[str, str]:
    """The parameters of a page's address, those of a reasonable length."""
    return {name: value for name, value in request.query_params.items() if len(value) <= longest}


def redirect(path: str) -> Response:
    """Send a browser on with a GET; nothing of where it was goes with it."""
    headers = {"Location": path, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(status_code=303, headers=headers)


def error_page(error: TowlineError, *, title: str, link: str = "", link_text: str = "") -> Response:
    """The two sentences of an error as a page, with a way on."""
    body = f"<p>{said(error.message)}</p><p>{said(error.hint)}</p>"
    if link:
        body += f'<p><a href="{escape(link)}">{escape(link_text)}</a></p>'
    return page(title=title, body=body, status=error.status, headers={})
