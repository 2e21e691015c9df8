"""HTTP: invitations, made by those who may, accepted by whoever holds the link and has the address."""

from datetime import datetime

from starlette.responses import Response

from towline.actions.access import Permission
from towline.actions.invitations import (
    Accepted,
    NewInvitation,
    accept_as_new,
    accept_as_user,
    find_invitation,
    get_offer,
    invite_to_instance,
    invite_to_project,
    list_invitations,
    resend_invitation,
    revoke_invitation,
)
from towline.contract.members import (
    Invitation,
    InvitationAccept,
    InvitationAccepted,
    InvitationCreate,
    InvitationJoin,
    InvitationList,
    InvitationLookup,
    InvitationOffer,
    InvitationQuery,
)
from towline.contract.members import NewInvitation as NewInvitationModel
from towline.contract.operations import JSON_MEDIA_TYPE
from towline.errors import InvalidInput, NotFound
from towline.models.base import utc_now
from towline.models.members import Invitation as InvitationRow
from towline.web.cursors import decode_cursor, decode_time, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter
from towline.web.sessions import device_of, keep_session

router = OperationRouter()


@router.operation("invitations.list")
async def list_(call: Call, query: InvitationQuery) -> InvitationList:
    """Open invitations to a project, or (administrators) to the instance."""
    await _ask_for(call, query.project)
    project_id = None if query.project is None else call.project.id
    key = decode_cursor(query.cursor, str, str)
    after = (decode_time(key[0]), str(key[1])) if key is not None else None
    found = await list_invitations(call.session, project_id, after=after, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return InvitationList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("invitations.create")
async def create(call: Call, body: InvitationCreate) -> NewInvitationModel:
    """Invite somebody."""
    await _ask_for(call, body.project)
    call.note("", email=body.email, role=body.role, is_administrator=body.is_administrator)
    if body.project is None:
        if body.role is not None:
            raise InvalidInput("role: is of a project, but no project is named.", field="role")
        made = await invite_to_instance(
            call.platform, call.work, call.caller, email=body.email, is_administrator=body.is_administrator
        )
        return _new(call, made)
    if body.role is None or body.is_administrator:
        field = "role" if body.role is None else "is_administrator"
        raise InvalidInput("An invitation to a project needs a role, and makes no administrator.", field=field)
    made = await invite_to_project(
        call.platform, call.work, call.caller, call.project, email=body.email, role=body.role
    )
    return _new(call, made)


@router.operation("invitations.resend")
async def resend(call: Call) -> NewInvitationModel:
    """Renew an invitation."""
    row = await _get_invitation(call)
    return _new(call, await resend_invitation(call.platform, call.work, call.caller, row))


@router.operation("invitations.revoke")
async def revoke(call: Call) -> None:
    """Make an invitation worthless."""
    row = await _get_invitation(call)
    call.note(row.id, email=row.email)
    await revoke_invitation(call.work, call.caller, row)


@router.operation("invitations.lookup", holds_transaction=False)
async def lookup(call: Call, body: InvitationLookup) -> InvitationOffer:
    """What a link is for."""
    async with call.platform.database.transaction() as work:
        offer = await get_offer(work.session, body.token)
    row = offer.invitation
    return InvitationOffer.model_validate(
        {
            "email": row.email,
            "project": None if offer.project is None else offer.project.name,
            "role": row.role or None,
            "is_administrator": row.is_administrator,
            "invited_by": offer.inviter.name or offer.inviter.email,
            "expires_at": row.expires_at,
        }
    )


@router.operation("invitations.accept", holds_transaction=False)
async def accept(call: Call, body: InvitationAccept) -> Response:
    """Become a user, who is signed in by it."""
    accepted, signed_in = await accept_as_new(
        call.platform,
        body.token,
        name=body.name,
        password=body.password,
        device=device_of(call.request),
        address=call.caller.address,
    )
    response = Response(_accepted(accepted).model_dump_json(), call.operation.status, media_type=JSON_MEDIA_TYPE)
    keep_session(call.request, response, signed_in)
    return response


@router.operation("invitations.join")
async def join(call: Call, body: InvitationJoin) -> InvitationAccepted:
    """Accept as the user who is calling."""
    accepted = await accept_as_user(call.platform, call.work, call.caller, body.token)
    call.note(accepted.user.id, email=accepted.user.email, project=accepted.project_id, role=accepted.role)
    return _accepted(accepted)


async def _ask_for(call: Call, project: str | None) -> None:
    if project is None:
        call.require(Permission.ADMINISTER)
    else:
        await call.get_project(project)


async def _get_invitation(call: Call) -> InvitationRow:
    row = await find_invitation(call.session, call.path["invitation"])
    try:
        if row is not None and row.project_id is None:
            call.require(Permission.ADMINISTER)
        else:
            await call.get_project("" if row is None or row.project_id is None else row.project_id)
    except NotFound as error:
        raise NotFound("There is no such open invitation, or you may not see it.") from error
    assert row is not None
    return row


def _accepted(accepted: Accepted) -> InvitationAccepted:
    user = accepted.user
    values = {"project_id": accepted.project_id, "role": accepted.role, "is_administrator": user.is_administrator}
    return InvitationAccepted.model_validate({"user_id": user.id, "email": user.email, **values})


def _new(call: Call, made: NewInvitation) -> NewInvitationModel:
    call.note(made.invitation.id, is_mailed=made.is_mailed)
    shown = _shown(made.invitation).model_dump()
    return NewInvitationModel.model_validate({**shown, "is_mailed": made.is_mailed, "link": made.link or None})


def _shown(row: InvitationRow) -> Invitation:
    return Invitation.model_validate(
        {
            "id": row.id,
            "email": row.email,
            "project_id": row.project_id,
            "role": row.role or None,
            "is_administrator": row.is_administrator,
            "invited_by": row.invited_by,
            "is_expired": row.expires_at <= utc_now(),
            "expires_at": row.expires_at,
            "created_at": row.created_at,
        }
    )


def _key(row: InvitationRow) -> tuple[datetime, str]:
    return (row.created_at, row.id)
