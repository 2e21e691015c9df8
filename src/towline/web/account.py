"""HTTP: who is calling."""

from towline.actions.keys import ALL_SCOPES
from towline.contract.account import Account, AccountKey, AccountUser
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("account.get", holds_transaction=False)
async def get(call: Call) -> Account:
    """The user and key of this call, and what the key allows at most."""
    caller = call.caller
    return Account(
        user=AccountUser(
            id=caller.user_id, name=call.use.user_name, email=caller.email, is_administrator=caller.is_administrator
        ),
        key=AccountKey(
            id=caller.key_id, name=call.use.key_name, project_id=caller.project_id, expires_at=call.use.expires_at
        ),
        permissions=[ALL_SCOPES] if caller.scopes is None else sorted(caller.scopes),
    )
