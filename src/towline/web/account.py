"""HTTP: who is calling."""

from towline.actions.credentials import ALL_SCOPES
from towline.contract.account import Account, AccountKey, AccountUser
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("account.get", holds_transaction=False)
async def get(call: Call) -> Account:
    """The user and key of this call, and what the key allows at most."""
    caller, credential = call.caller, call.credential
    return Account(
        user=AccountUser(
            id=caller.user_id, name=credential.user_name, email=caller.email, is_administrator=caller.is_administrator
        ),
        key=AccountKey(
            id=caller.key_id, name=credential.key_name, project_id=caller.project_id, expires_at=credential.expires_at
        ),
        permissions=[ALL_SCOPES] if caller.scopes is None else sorted(caller.scopes),
    )
