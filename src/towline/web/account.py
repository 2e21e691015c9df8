"""HTTP: who is calling, and changes of their own account."""

from dataclasses import replace
from typing import Final
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.account import change_password, check_unlimited, update_account
from towline.actions.address_change import confirm_address
from towline.actions.credentials import ALL_SCOPES, Credential
from towline.contract.account import (
    Account,
    AccountKey,
    AccountSession,
    AccountUpdate,
    AccountUser,
    EmailConfirm,
    PasswordChange,
)
from towline.errors import TowlineError
from towline.models.accounts import User
from towline.web.arrivals import find_person
from towline.web.deps import Call, get_platform
from towline.web.entrance import form_page
from towline.web.forms import error_page, redirect
from towline.web.operations import OperationRouter
from towline.web.origins import check_origin
from towline.web.sessions import answer_renewed

router = OperationRouter()
_TITLE: Final = "Your e-mail address"


@router.operation("account.get", holds_transaction=False)
async def get(call: Call) -> Account:
    """The user, and the key or session of this call with what it allows at most."""
    return _shown(call.credential)


@router.operation("account.update", holds_transaction=False)
async def update(call: Call, body: AccountUpdate) -> Account:
    """Another name or address."""
    user = await update_account(
        call.platform, call.credential, name=body.name, email=body.email, password=body.password or ""
    )
    pending = body.email if body.email not in {None, user.email} else None
    return _shown(_renamed(call.credential, user), pending_email=pending)


@router.operation("account.confirmEmail")
async def confirm_email(call: Call, body: EmailConfirm) -> Account:
    """Another address, by the link that was sent to it."""
    check_unlimited(call.credential)
    user = await confirm_address(call.platform, call.work, call.caller, body.token)
    call.note(user.id)
    return _shown(_renamed(call.credential, user))


async def show_confirmation(request: Request) -> Response:
    """Ask before the link is used up, of whoever is signed in."""
    person = await find_person(request)
    if person is None:
        return redirect(f"/sign-in?next={quote(request.url.path)}")
    return form_page(_TITLE, "confirm_address.html", {"email": person.caller.email, "is_done": False})


async def run_confirmation(request: Request) -> Response:
    """Use the link up."""
    try:
        check_origin(request, is_strict=True)
        person = await find_person(request)
        if person is None:
            return redirect(f"/sign-in?next={quote(request.url.path)}")
        platform = get_platform(request)
        async with platform.database.transaction() as work:
            user = await confirm_address(platform, work, person.caller, request.path_params["token"])
    except TowlineError as error:
        return error_page(error, title=_TITLE, link="/sign-in", link_text="To the sign-in page")
    return form_page(_TITLE, "confirm_address.html", {"email": user.email, "is_done": True})


@router.operation("account.changePassword", holds_transaction=False)
async def set_password(call: Call, body: PasswordChange) -> Response:
    """Another password; the session of this call goes on with another value."""
    renewed = await change_password(
        call.platform, call.credential, current=body.current_password or "", new=body.new_password
    )
    return answer_renewed(call, renewed)


def _renamed(credential: Credential, user: User) -> Credential:
    return replace(credential, caller=replace(credential.caller, email=user.email), user_name=user.name)


def _shown(credential: Credential, *, pending_email: str | None = None) -> Account:
    caller = credential.caller
    return Account(
        user=AccountUser(
            id=caller.user_id, name=credential.user_name, email=caller.email, is_administrator=caller.is_administrator
        ),
        key=_key(credential) if caller.key_id else None,
        session=_session(credential) if caller.session_id else None,
        permissions=[ALL_SCOPES] if caller.scopes is None else sorted(caller.scopes),
        pending_email=pending_email,
        has_password=credential.has_password,
    )


def _key(credential: Credential) -> AccountKey:
    caller = credential.caller
    return AccountKey(
        id=caller.key_id, name=credential.key_name, project_id=caller.project_id, expires_at=credential.expires_at
    )


def _session(credential: Credential) -> AccountSession:
    assert credential.expires_at is not None
    assert credential.authenticated_at is not None
    return AccountSession(
        id=credential.caller.session_id,
        method=credential.method,
        expires_at=credential.expires_at,
        authenticated_at=credential.authenticated_at,
    )


router.routes.append(Route("/account/email/{token}", show_confirmation, methods=["GET"], name="email-link"))
router.routes.append(Route("/account/email/{token}", run_confirmation, methods=["POST"], name="email-confirm"))
