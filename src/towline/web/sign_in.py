"""HTTP: signing in by password, as an operation and as a page that works without scripts; signing out."""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from pydantic import ValidationError
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.factor_sign_in import Proof, finish_sign_in
from towline.actions.identities.administration import list_providers
from towline.actions.identities.arriving import safe_path
from towline.actions.installation import platform_url
from towline.actions.second_factors.factors import Factor
from towline.actions.sign_in import SecondFactorNeeded, sign_in
from towline.contract.sessions import SignIn
from towline.errors import TowlineError
from towline.web.arrivals import find_person
from towline.web.cookies import SESSION_COOKIE, delete_cookie
from towline.web.deps import Call, get_platform
from towline.web.entrance import form_page, go_on, second_factor_page
from towline.web.forms import read_form, read_query, redirect
from towline.web.operations import OperationRouter
from towline.web.origins import check_origin
from towline.web.problems import invalid_request
from towline.web.sessions import answer_sign_in, end_previous_session, visit_of

router = OperationRouter()
_TITLE: Final = "Sign in"


@router.operation("sessions.create", holds_transaction=False)
async def create(call: Call, body: SignIn) -> Response:
    """A session, or the ticket that waits for a second factor."""
    visit = visit_of(call.request, device=body.device)
    outcome = await sign_in(call.platform, body.email, body.password, visit=visit)
    if body.kind == "cookie":
        await end_previous_session(call.request)
    return answer_sign_in(call.request, outcome, kind=body.kind)


async def show_sign_in(request: Request) -> Response:
    """The form; or who is signed in already."""
    next_path = safe_path(read_query(request).get("next", ""))
    person = await find_person(request)
    if person is not None:
        url = platform_url(get_platform(request))
        return form_page("Towline", "signed_in.html", {"email": person.caller.email, "next": next_path, "url": url})
    return await _sign_in_page(request, next_path=next_path)


async def run_sign_in(request: Request) -> Response:
    """Sign in and go on, ask for a second factor, or show the form again with what was wrong."""
    fields: Mapping[str, str] = {}
    next_path = ""
    try:
        check_origin(request)
        fields = await read_form(request)
        next_path = safe_path(fields.get("next", ""))
        given = _parse(fields)
        outcome = await sign_in(get_platform(request), given.email, given.password, visit=visit_of(request))
    except TowlineError as error:
        return await _sign_in_page(request, next_path=next_path, email=fields.get("email", ""), problem=error)
    return await go_on(request, outcome, next_path=next_path)


async def run_second_factor(request: Request) -> Response:
    """Finish signing in by a code; a wrong one can be typed again as long as the ticket allows."""
    check_origin(request)
    fields = await read_form(request)
    ticket, next_path = fields.get("ticket", ""), safe_path(fields.get("next", ""))
    try:
        proof = _proof(fields)
        outcome = await finish_sign_in(get_platform(request), visit_of(request), ticket=ticket, proof=proof)
    except TowlineError as error:
        if error.status == 404:
            return await _sign_in_page(request, next_path=next_path, problem=error)
        factors = frozenset(factor.value for factor in Factor)
        return second_factor_page(SecondFactorNeeded(ticket, factors), next_path=next_path, problem=error)
    return await go_on(request, outcome, next_path=next_path)


async def run_sign_out(request: Request) -> Response:
    """End the session of this browser."""
    check_origin(request, is_strict=True)
    await end_previous_session(request)
    response = redirect("/sign-in")
    delete_cookie(request, response, SESSION_COOKIE)
    return response


async def _sign_in_page(
    request: Request, *, next_path: str, email: str = "", problem: TowlineError | None = None
) -> Response:
    async with get_platform(request).database.transaction() as work:
        providers = await list_providers(work.session, only_enabled=True)
    values: dict[str, object] = {"next": next_path, "email": email, "providers": providers}
    return form_page(_TITLE, "sign_in.html", values, problem=problem, has_script=True)


def _parse(fields: Mapping[str, str]) -> SignIn:
    try:
        return SignIn(email=fields.get("email", ""), password=fields.get("password", ""))
    except ValidationError as error:
        raise invalid_request(error).error from error


def _proof(fields: Mapping[str, str]) -> Proof:
    if code := fields.get("recovery_code"):
        return Proof(Factor.RECOVERY_CODE, code=code)
    return Proof(Factor.TOTP, code=fields.get("code", ""))


router.routes.append(Route("/sign-in", show_sign_in, methods=["GET"], name="sign-in"))
router.routes.append(Route("/sign-in", run_sign_in, methods=["POST"], name="sign-in-send"))
router.routes.append(Route("/sign-in/second-factor", run_second_factor, methods=["POST"], name="sign-in-second"))
router.routes.append(Route("/sign-out", run_sign_out, methods=["POST"], name="sign-out"))
