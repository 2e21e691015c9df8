"""HTTP: the one-time set-up link, which hands the first administrator's API key to whoever opens it first."""

import os
import sys
from collections.abc import Sequence
from html import escape

import uvloop
from fastapi import Request
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.installation import platform_url
from towline.actions.setup import create_setup_link, is_setup_open, use_setup_link
from towline.config import Settings
from towline.errors import TowlineError
from towline.web.deps import get_platform
from towline.web.operations import OperationRouter
from towline.web.pages import page
from towline.wiring import open_platform

router = OperationRouter()
_TITLE = "Set up Towline"


async def show_setup(request: Request) -> Response:
    """Ask before the link is used up: mail programs and chats open links by themselves."""
    if not await is_setup_open(get_platform(request), request.path_params["token"]):
        body = (
            "<p>This link was used already, or is too old.</p>"
            "<p>Run <code>towline up</code> on the server again, or make a key there: "
            "<code>towline keys create NAME</code></p>"
        )
        return page(title=_TITLE, body=body, status=404, headers={})
    body = (
        "<p>This link gives you the key of the first administrator. It works once.</p>"
        '<form method="post"><p><button type="submit">Show the key</button></p></form>'
    )
    return page(title=_TITLE, body=body, status=200, headers={}, has_form=True)


async def run_setup(request: Request) -> Response:
    """Use the link up and show the key, this once."""
    platform = get_platform(request)
    try:
        key = await use_setup_link(platform, request.path_params["token"])
    except TowlineError as error:
        body = f"<p>{escape(error.message)}</p><p>{escape(error.hint)}</p>"
        return page(title=_TITLE, body=body, status=error.status, headers={})
    url = escape(platform_url(platform))
    body = (
        "<p>Your key, shown this once:</p>"
        f"<p><code>{escape(key)}</code></p>"
        "<p>On your own computer, give it to</p>"
        f"<p><code>towline login {url}</code></p>"
        "<p>and deploy a folder with <code>towline deploy</code>.</p>"
    )
    return page(title=_TITLE, body=body, status=200, headers={})


def main(arguments: Sequence[str]) -> int:
    """`python -m towline internal setup-link`: print the link, or nothing once one was used."""
    del arguments  # everything comes by TOWLINE_… variables
    sys.stdout.write(uvloop.run(_make_link()))
    return 0


async def _make_link() -> str:
    async with open_platform(Settings.from_environment(os.environ), pool_size=1) as platform:
        token = await create_setup_link(platform)
        return f"{platform_url(platform)}/setup/{token}\n" if token else ""


router.routes.append(Route("/setup/{token}", show_setup, methods=["GET"], name="setup"))
router.routes.append(Route("/setup/{token}", run_setup, methods=["POST"], name="setup-use"))
