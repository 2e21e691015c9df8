"""HTTP: the caller's passkeys."""

from sqlalchemy import select

from towline.actions.credentials import check_recent_proof
from towline.actions.second_factors.factors import ensure_recovery_codes, forget_useless_codes, list_factors
from towline.actions.second_factors.passkeys import (
    begin_passkey,
    create_passkey,
    delete_passkey,
    get_passkey,
    list_passkeys,
)
from towline.actions.sessions import end_sessions
from towline.contract.base import PageQuery
from towline.contract.second_factors import (
    NewPasskey,
    Passkey,
    PasskeyCreate,
    PasskeyList,
    PasskeyOptions,
    PasskeyUpdate,
)
from towline.models.accounts import User
from towline.models.second_factors import Passkey as PasskeyRow
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("passkeys.begin")
async def begin(call: Call) -> PasskeyOptions:
    """What the browser is asked to make."""
    check_recent_proof(call.credential)
    ticket, options = await begin_passkey(call.platform, call.work, await _get_user(call))
    return PasskeyOptions(ticket=ticket, options=options)


@router.operation("passkeys.create")
async def create(call: Call, body: PasskeyCreate) -> NewPasskey:
    """Keep what the browser made; with the first second factor come recovery codes, and other sessions end."""
    check_recent_proof(call.credential)
    user = await _get_user(call)
    had_factors = bool(await list_factors(call.session, user.id))
    row = await create_passkey(
        call.platform, call.work, user, ticket=body.ticket, credential=body.credential, name=body.name
    )
    call.note(row.id, name=row.name)
    codes = await ensure_recovery_codes(call.work, user.id)
    if not had_factors:
        await end_sessions(call.platform, call.work, user_id=user.id, except_id=call.caller.session_id)
    return NewPasskey(**shown_passkey(row).model_dump(), recovery_codes=list(codes))


@router.operation("passkeys.list")
async def list_(call: Call, query: PageQuery) -> PasskeyList:
    """The caller's passkeys, oldest first."""
    key = decode_cursor(query.cursor, str)
    found = await list_passkeys(call.session, call.caller.user_id)
    after = [row for row in found if key is None or row.id > str(key[0])]
    page = page_of(after[: query.limit + 1], limit=query.limit, key=_key)
    return PasskeyList(items=[shown_passkey(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("passkeys.update")
async def update(call: Call, body: PasskeyUpdate) -> Passkey:
    """Give a passkey another name."""
    check_recent_proof(call.credential)
    row = await get_passkey(call.session, call.caller.user_id, call.path["passkey"])
    call.note(row.id, name=body.name)
    row.name = body.name
    return shown_passkey(row)


@router.operation("passkeys.delete")
async def delete(call: Call) -> None:
    """Delete a passkey, unless it is the last way in; other sessions end."""
    check_recent_proof(call.credential)
    user_id = call.caller.user_id
    row = await delete_passkey(call.work, user_id, call.path["passkey"])
    call.note(row.id, name=row.name)
    await forget_useless_codes(call.work, user_id)
    await end_sessions(call.platform, call.work, user_id=user_id, except_id=call.caller.session_id)


def shown_passkey(row: PasskeyRow) -> Passkey:
    """A passkey as the API shows it."""
    return Passkey(
        id=row.id,
        name=row.name,
        transports=row.transports,
        is_backed_up=row.is_backed_up,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _key(row: PasskeyRow) -> tuple[str]:
    return (row.id,)


async def _get_user(call: Call) -> User:
    return (await call.session.scalars(select(User).where(User.id == call.caller.user_id))).one()
