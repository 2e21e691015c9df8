"""HTTP: what a browser sees next after any way of signing in: where it wanted to go, or a second factor."""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from starlette.responses import Response

from towline.actions.sign_in import SecondFactorNeeded, SignedIn
from towline.errors import TowlineError
from towline.web.forms import redirect
from towline.web.pages import page
from towline.web.sessions import end_previous_session, keep_session
from towline.web.templating import render

SCRIPT_PATH: Final = "/_towline/assets/account.js"
"""The module that speaks with the browser's passkeys."""


async def go_on(request: Request, outcome: SignedIn | SecondFactorNeeded, *, next_path: str) -> Response:
    """Go where the browser wanted to go (a path of ours, or empty), signed in; or ask for the second factor."""
    if isinstance(outcome, SecondFactorNeeded):
        return second_factor_page(outcome, next_path=next_path)
    await end_previous_session(request)
    response = redirect(next_path or "/")
    keep_session(request, response, outcome)
    return response


def second_factor_page(needed: SecondFactorNeeded, *, next_path: str, problem: TowlineError | None = None) -> Response:
    """Asks for one of the factors of a user who has proved the first."""
    values = {"ticket": needed.ticket, "factors": needed.factors, "next": next_path, "problem": problem}
    return form_page("Sign in", "second_factor.html", values, problem=problem, has_script=True)


def form_page(
    title: str,
    template: str,
    values: Mapping[str, object],
    *,
    problem: TowlineError | None = None,
    has_script: bool = False,
) -> Response:
    """A page with a form, and above it what was wrong with the one that was sent."""
    status = 200 if problem is None else problem.status
    body = render(template, {**values, "problem": problem})
    script = SCRIPT_PATH if has_script else ""
    return page(title=title, body=body, status=status, headers={}, has_form=True, script=script)
