"""HTTP: signing in by a passkey alone, and finishing a sign-in by a second factor."""

from typing import Literal

from starlette.responses import Response

from towline.actions.factor_sign_in import (
    Proof,
    begin_passkey_sign_in,
    begin_second_passkey,
    finish_sign_in,
    sign_in_by_passkey,
)
from towline.actions.second_factors.factors import Factor
from towline.actions.sign_in import SignedIn
from towline.contract.second_factors import PasskeyBegin, PasskeyOptions, PasskeySignIn, SecondFactorSignIn
from towline.web.deps import Call
from towline.web.operations import OperationRouter
from towline.web.sessions import answer_sign_in, end_previous_session, visit_of

router = OperationRouter()


@router.operation("signIn.passkeyBegin", holds_transaction=False)
async def begin(call: Call, body: PasskeyBegin) -> PasskeyOptions:
    """What the browser is asked to prove: any passkey of this host, or one of the user that a ticket is of."""
    if body.ticket is not None:
        options = await begin_second_passkey(call.platform, body.ticket)
        return PasskeyOptions(ticket=body.ticket, options=options)
    ticket, options = await begin_passkey_sign_in(call.platform, visit_of(call.request))
    return PasskeyOptions(ticket=ticket, options=options)


@router.operation("signIn.passkey", holds_transaction=False)
async def sign_in(call: Call, body: PasskeySignIn) -> Response:
    """A session for the user whose passkey proves itself."""
    visit = visit_of(call.request, device=body.device)
    outcome = await sign_in_by_passkey(call.platform, visit, ticket=body.ticket, credential=body.credential)
    return await _answer(call, outcome, body.kind)


@router.operation("signIn.secondFactor", holds_transaction=False)
async def finish(call: Call, body: SecondFactorSignIn) -> Response:
    """A session for the user that the ticket is of, once a second factor is proved."""
    visit = visit_of(call.request, device=body.device)
    outcome = await finish_sign_in(call.platform, visit, ticket=body.ticket, proof=_proof(body))
    return await _answer(call, outcome, body.kind)


async def _answer(call: Call, outcome: SignedIn, kind: Literal["cookie", "token"]) -> Response:
    if kind == "cookie":
        await end_previous_session(call.request)
    return answer_sign_in(call.request, outcome, kind=kind)


def _proof(body: SecondFactorSignIn) -> Proof:
    if body.credential is not None:
        return Proof(Factor.PASSKEY, credential=body.credential)
    if body.code is not None:
        return Proof(Factor.TOTP, code=body.code)
    return Proof(Factor.RECOVERY_CODE, code=body.recovery_code or "")
