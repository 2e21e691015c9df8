"""HTTP: the pages behind links in mails: accepting an invitation, asking for and choosing a new password."""

from html import escape
from typing import Final

from fastapi import Request
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.access import Caller
from towline.actions.installation import platform_url
from towline.actions.invitations import Accepted, Offer, accept_as_new, accept_as_user, get_offer, record_accepted
from towline.actions.mail import sends_mail
from towline.actions.password_reset import ask_for_reset, find_reset_user, finish_reset
from towline.contract.users import PasswordResetAsk
from towline.errors import InvalidInput, NotFound, TowlineError, Unauthenticated
from towline.web.addresses import client_address
from towline.web.auth import find_caller
from towline.web.deps import get_platform
from towline.web.forms import error_page, read_form
from towline.web.operations import OperationRouter
from towline.web.origins import check_origin
from towline.web.pages import page
from towline.web.password_reset import ASKED
from towline.web.sessions import device_of, keep_session

router = OperationRouter()
_INVITATION: Final = "Invitation"
_RESET: Final = "New password"
_SIGN_IN: Final = '<p><a class="button primary" href="/sign-in">Sign in</a></p>'
_NO_MAIL: Final = (
    "<p>No mail goes out from here. Ask an administrator: under Platform, Users, they make a link by which you choose "
    "a new password.</p>"
)
_LONGEST_NAME: Final = 255


async def show_invitation(request: Request) -> Response:
    """What is offered, and the form to accept it."""
    platform = get_platform(request)
    try:
        async with platform.database.transaction() as work:
            offer = await get_offer(work.session, request.path_params["token"])
    except TowlineError as error:
        return error_page(error, title=_INVITATION)
    return await _invitation_page(request, offer)


async def accept_invitation(request: Request) -> Response:
    """Accept as whoever is signed in with the invited address, or as a new user; a mistake shows the form again."""
    platform, token = get_platform(request), request.path_params["token"]
    try:
        check_origin(request)
        form = await read_form(request)
        caller = await _find_signed_in(request)
    except TowlineError as error:
        return error_page(error, title=_INVITATION)
    try:
        if form.get("as") == "me" and caller is not None:
            return _welcome(request, await _join(request, caller, token))
        accepted, signed_in = await accept_as_new(
            platform,
            token,
            name=" ".join(form.get("name", "").replace("\0", "").split())[:_LONGEST_NAME],
            password=form.get("password", ""),
            device=device_of(request),
            address=client_address(request),
        )
    except TowlineError as error:
        return await _invitation_again(request, token, error)
    response = _welcome(request, accepted)
    keep_session(request, response, signed_in)
    return response


async def show_reset_request(request: Request) -> Response:
    """The form that asks for the mail; where none can be sent, who else makes a link."""
    if not sends_mail(get_platform(request)):
        return page(title=_RESET, body=_NO_MAIL + _SIGN_IN, status=200, headers={})
    return _reset_request_page()


async def ask_for_link(request: Request) -> Response:
    """The same page for every address."""
    platform = get_platform(request)
    try:
        check_origin(request)
        form = await read_form(request)
        try:
            email = PasswordResetAsk(email=form.get("email", "")).email
        except ValueError:
            return _reset_request_page(
                InvalidInput("This is no e-mail address.", hint="Write it like ann@example.com.")
            )
        await ask_for_reset(platform, email=email, address=client_address(request))
    except TowlineError as error:
        return error_page(error, title=_RESET)
    return page(title=_RESET, body=f"<p>{escape(ASKED)}</p>{_SIGN_IN}", status=202, headers={})


async def show_reset(request: Request) -> Response:
    """The form to choose a new password."""
    async with get_platform(request).database.transaction() as work:
        user = await find_reset_user(work.session, request.path_params["token"])
    if user is None:
        return error_page(
            NotFound("This link was used already, or is too old.", hint="Ask for a new one."),
            title=_RESET,
            link="/password-reset",
            link_text="Ask for a new link",
        )
    body = _password_form(email=user.email, button="Set the password", asks_name=False)
    return page(title=_RESET, body=body, status=200, headers={}, has_form=True)


async def reset_password(request: Request) -> Response:
    """Choose the new password; a weak one shows the form again."""
    platform, token = get_platform(request), request.path_params["token"]
    try:
        check_origin(request)
        form = await read_form(request)
        password, address = form.get("password", ""), client_address(request)
        await finish_reset(platform, token=token, password=password, address=address)
    except TowlineError as error:
        if error.status != 422:
            return error_page(error, title=_RESET)
        body = _complaint(error) + _password_form(email="", button="Set the password", asks_name=False)
        return page(title=_RESET, body=body, status=422, headers={}, has_form=True)
    body = f"<p>Your password was changed, and all your sessions have ended. Sign in with the new one.</p>{_SIGN_IN}"
    return page(title=_RESET, body=body, status=200, headers={})


def _reset_request_page(error: TowlineError | None = None) -> Response:
    body = (
        f'{"" if error is None else _complaint(error)}<form method="post"><p><label>E-mail address<br>'
        '<input name="email" type="email" required autocomplete="username"></label></p>'
        '<p><button type="submit" class="primary">Send me a link</button></p></form>'
        '<p><a href="/sign-in">Back to the sign-in page</a></p>'
    )
    status = 200 if error is None else error.status
    return page(title=_RESET, body=body, status=status, headers={}, has_form=True)


async def _join(request: Request, caller: Caller, token: str) -> Accepted:
    platform = get_platform(request)
    async with platform.database.transaction() as work:
        accepted = await accept_as_user(platform, work, caller, token)
        record_accepted(work, caller, "invitations.join", accepted)
    return accepted


async def _invitation_again(request: Request, token: str, error: TowlineError) -> Response:
    """The form with what was wrong, while the invitation is still open; else only what was wrong."""
    try:
        async with get_platform(request).database.transaction() as work:
            offer = await get_offer(work.session, token)
    except TowlineError:
        return error_page(error, title=_INVITATION)
    return await _invitation_page(request, offer, error=error)


async def _invitation_page(request: Request, offer: Offer, *, error: TowlineError | None = None) -> Response:
    row, inviter = offer.invitation, offer.inviter
    place = "an account" if offer.project is None else f"the project {offer.project.name} as {row.role}"
    if row.is_administrator:
        place = "an administrator's account"
    body = f"<p>{escape(inviter.name or inviter.email)} invites {escape(row.email)} to {escape(place)}.</p>"
    caller = await _find_signed_in(request)
    if caller is not None and caller.email.lower() == row.email:
        body += '<form method="post"><input type="hidden" name="as" value="me">'
        body += f'<p><button type="submit" class="primary">Accept as {escape(row.email)}</button></p></form>'
    else:
        body += _password_form(email=row.email, button="Accept", asks_name=True)
        body += '<p>If this address has an account here, <a href="/sign-in">sign in</a> with it first, '
        body += "then open this link again.</p>"
    shown = _complaint(error) + body if error is not None else body
    status = 200 if error is None else error.status
    return page(title=_INVITATION, body=shown, status=status, headers={}, has_form=True)


def _password_form(*, email: str, button: str, asks_name: bool) -> str:
    """Password keepers learn the address from the first field."""
    address = (
        f'<p><label>E-mail address<br><input type="email" value="{escape(email)}" readonly autocomplete="username">'
        "</label></p>"
        if email
        else ""
    )
    name = '<p><label>Your name<br><input name="name" required maxlength="255" autocomplete="name"></label></p>'
    return (
        f'<form method="post">{address}{name if asks_name else ""}'
        "<p><label>Password, at least 10 characters<br>"
        '<input name="password" type="password" required minlength="10" autocomplete="new-password"></label></p>'
        f'<p><button type="submit" class="primary">{escape(button)}</button></p></form>'
    )


def _welcome(request: Request, accepted: Accepted) -> Response:
    url = escape(platform_url(get_platform(request)))
    place = "" if accepted.role is None else f"<p>You are {escape(accepted.role)} of the project now.</p>"
    onward = f'<p><a class="button primary" href="{url}/">Go on</a></p>'
    body = f"<p>You are signed in as {escape(accepted.user.email)}.</p>{place}{onward}"
    return page(title="Welcome", body=body, status=200, headers={})


def _complaint(error: TowlineError) -> str:
    return f'<p role="alert" class="problem"><strong>{escape(error.message)}</strong> {escape(error.hint)}</p>'


async def _find_signed_in(request: Request) -> Caller | None:
    """Who is signed in with this browser; an ended session is nobody's."""
    try:
        found = await find_caller(request)
    except Unauthenticated:
        return None
    return None if found is None else found.caller


router.routes.extend(
    [
        Route("/invitation/{token}", show_invitation, methods=["GET"], name="invitation"),
        Route("/invitation/{token}", accept_invitation, methods=["POST"], name="invitation-accept"),
        Route("/password-reset", show_reset_request, methods=["GET"], name="password-reset"),
        Route("/password-reset", ask_for_link, methods=["POST"], name="password-reset-ask"),
        Route("/password-reset/{token}", show_reset, methods=["GET"], name="password-reset-link"),
        Route("/password-reset/{token}", reset_password, methods=["POST"], name="password-reset-finish"),
    ]
)
