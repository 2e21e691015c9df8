"""HTTP: choosing a new password by a one-time link."""

from typing import Final

from towline.actions.password_reset import ask_for_reset, finish_reset
from towline.contract.users import PasswordResetAsk, PasswordResetAsked, PasswordResetDone, PasswordResetFinish
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()
ASKED: Final = "If this address has an account here, a mail with a link is on its way to it."


@router.operation("passwordReset.ask", holds_transaction=False)
async def ask(call: Call, body: PasswordResetAsk) -> PasswordResetAsked:
    """Ask for the mail with the link."""
    await ask_for_reset(call.platform, email=body.email, address=call.caller.address)
    return PasswordResetAsked(message=ASKED)


@router.operation("passwordReset.finish", holds_transaction=False)
async def finish(call: Call, body: PasswordResetFinish) -> PasswordResetDone:
    """Choose the new password."""
    address = call.caller.address
    user = await finish_reset(call.platform, token=body.token, password=body.password, address=address)
    return PasswordResetDone(email=user.email)
