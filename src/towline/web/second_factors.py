"""HTTP: the caller's one-time codes and recovery codes, and an overview of all their second factors."""

from towline.actions.credentials import check_recent_proof
from towline.actions.granting import check_unlimited
from towline.actions.second_factors.factors import (
    delete_factors,
    ensure_recovery_codes,
    forget_useless_codes,
    list_factors,
)
from towline.actions.second_factors.passkeys import list_passkeys
from towline.actions.second_factors.recovery_codes import count_recovery_codes, create_recovery_codes
from towline.actions.second_factors.totp import begin_totp, confirm_totp, delete_totp, find_confirmed_at
from towline.actions.sessions import end_sessions
from towline.actions.users import get_user
from towline.contract.second_factors import RecoveryCodes, SecondFactors, TotpConfirm, TotpSetup
from towline.errors import Conflict
from towline.web.deps import Call
from towline.web.operations import OperationRouter
from towline.web.passkeys import shown_passkey

router = OperationRouter()


@router.operation("secondFactors.list")
async def list_(call: Call) -> SecondFactors:
    """What the caller can prove after a password, and what stands in for it."""
    user_id = call.caller.user_id
    return SecondFactors(
        is_needed=bool(await list_factors(call.session, user_id)),
        totp_since=await find_confirmed_at(call.session, user_id),
        passkeys=[shown_passkey(row) for row in await list_passkeys(call.session, user_id)],
        recovery_codes_left=await count_recovery_codes(call.session, user_id),
    )


@router.operation("totp.begin")
async def begin(call: Call) -> TotpSetup:
    """A new secret for an authenticator app; it counts for nothing until it is confirmed."""
    check_recent_proof(call.credential)
    call.note(call.caller.user_id)
    account = call.caller.email or call.credential.user_name or call.caller.user_id
    setup = await begin_totp(call.platform, call.work, call.caller.user_id, account=account)
    return TotpSetup(secret=setup.secret, uri=setup.uri, qr_svg=setup.qr_svg)


@router.operation("totp.confirm")
async def confirm(call: Call, body: TotpConfirm) -> RecoveryCodes:
    """Turn one-time codes on; a password alone is not enough from now on, and other sessions end."""
    check_recent_proof(call.credential)
    user_id = call.caller.user_id
    call.note(user_id)
    await confirm_totp(call.platform, call.work, user_id, code=body.code)
    await end_sessions(call.platform, call.work, user_id=user_id, except_id=call.caller.session_id)
    return RecoveryCodes(recovery_codes=list(await ensure_recovery_codes(call.work, user_id)))


@router.operation("totp.delete")
async def delete(call: Call) -> None:
    """Turn one-time codes off; other sessions end."""
    check_recent_proof(call.credential)
    user_id = call.caller.user_id
    call.note(user_id)
    await delete_totp(call.work, user_id)
    await forget_useless_codes(call.work, user_id)
    await end_sessions(call.platform, call.work, user_id=user_id, except_id=call.caller.session_id)


@router.operation("recoveryCodes.create")
async def create(call: Call) -> RecoveryCodes:
    """Ten new recovery codes; the old ones are worth nothing from now on."""
    check_recent_proof(call.credential)
    user_id = call.caller.user_id
    call.note(user_id)
    if not await list_factors(call.session, user_id):
        hint = "Set up an authenticator app or add a passkey first."
        raise Conflict("There is no second factor that recovery codes could stand in for.", hint=hint)
    return RecoveryCodes(recovery_codes=list(await create_recovery_codes(call.work, user_id)))


@router.operation("secondFactors.delete")
async def delete_all(call: Call) -> None:
    """Delete the second factors and passkeys of somebody who has lost them; their sessions end."""
    check_unlimited(call.caller)
    if call.caller.session_id:
        check_recent_proof(call.credential)
    user = await get_user(call.session, call.path["user"])
    factors = await delete_factors(call.work, user.id)
    call.note(user.id, factors=sorted(factors))
    await end_sessions(call.platform, call.work, user_id=user.id, except_id=call.caller.session_id)
