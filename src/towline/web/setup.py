"""HTTP: the one-time set-up link, by which whoever opens it first becomes the first administrator."""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from pydantic import ValidationError
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.granting import check_unlimited
from towline.actions.installation import platform_url
from towline.actions.setup import complete_setup, create_setup_link, is_setup_open, setup_gone
from towline.contract.account import SetupComplete, SetupLink
from towline.errors import NotFound, TowlineError
from towline.web.deps import Call, get_platform
from towline.web.entrance import form_page, go_on
from towline.web.forms import error_page, read_form
from towline.web.operations import OperationRouter
from towline.web.origins import check_origin
from towline.web.problems import invalid_request
from towline.web.sessions import answer_sign_in, visit_of

router = OperationRouter()
_TITLE: Final = "Set up Towline"
_FIELDS: Final = ("name", "email", "password")


@router.operation("setup.complete", holds_transaction=False)
async def complete(call: Call, body: SetupComplete) -> Response:
    """Become the first administrator, signed in."""
    outcome = await complete_setup(
        call.platform,
        body.token,
        email=body.email,
        name=body.name,
        password=body.password,
        visit=visit_of(call.request),
    )
    return answer_sign_in(call.request, outcome, kind=body.kind)


@router.operation("setup.createLink")
async def create_link(call: Call) -> SetupLink:
    """A fresh one-time link in place of an unused one; none once one was used."""
    check_unlimited(call.caller)
    token = await create_setup_link(call.work)
    call.note("setup")
    return SetupLink(url=f"{platform_url(call.platform)}/setup/{token}" if token else None)


async def show_setup(request: Request) -> Response:
    """Ask before the link is used up: mail programs and chats open links by themselves."""
    if not await is_setup_open(get_platform(request), request.path_params["token"]):
        return error_page(setup_gone(), title=_TITLE)
    return _form({}, None)


async def run_setup(request: Request) -> Response:
    """Use the link up and go on signed in; or show the form again with what was wrong."""
    fields: Mapping[str, str] = {}
    try:
        check_origin(request)
        fields = await read_form(request)
        given = _parse(request.path_params["token"], fields)
        outcome = await complete_setup(
            get_platform(request),
            given.token,
            email=given.email,
            name=given.name,
            password=given.password,
            visit=visit_of(request),
        )
    except NotFound as error:
        return error_page(error, title=_TITLE)
    except TowlineError as error:
        return _form(fields, error)
    return await go_on(request, outcome, next_path="")


def _form(fields: Mapping[str, str], problem: TowlineError | None) -> Response:
    values: dict[str, object] = {"name": fields.get("name", ""), "email": fields.get("email", "")}
    return form_page(_TITLE, "setup.html", values, problem=problem)


def _parse(token: str, fields: Mapping[str, str]) -> SetupComplete:
    try:
        return SetupComplete.model_validate({"token": token, **{name: fields.get(name, "") for name in _FIELDS}})
    except ValidationError as error:
        if any(fault["loc"] == ("token",) for fault in error.errors()):
            raise setup_gone() from error
        raise invalid_request(error).error from error


router.routes.append(Route("/setup/{token}", show_setup, methods=["GET"], name="setup"))
router.routes.append(Route("/setup/{token}", run_setup, methods=["POST"], name="setup-use"))
