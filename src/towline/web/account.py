"""HTTP: who is calling, and changes of their own account."""

from dataclasses import replace

from starlette.responses import Response

from towline.actions.account import change_password, update_account
from towline.actions.credentials import ALL_SCOPES, Credential
from towline.contract.account import (
    Account,
    AccountKey,
    AccountSession,
    AccountUpdate,
    AccountUser,
    PasswordChange,
)
from towline.web.deps import Call
from towline.web.operations import OperationRouter
from towline.web.sessions import answer_renewed

router = OperationRouter()


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
    caller = replace(call.caller, email=user.email)
    return _shown(replace(call.credential, caller=caller, user_name=user.name))


@router.operation("account.changePassword", holds_transaction=False)
async def set_password(call: Call, body: PasswordChange) -> Response:
    """Another password; the session of this call goes on with another value."""
    renewed = await change_password(
        call.platform, call.credential, current=body.current_password or "", new=body.new_password
    )
    return answer_renewed(call, renewed)


def _shown(credential: Credential) -> Account:
    caller = credential.caller
    return Account(
        user=AccountUser(
            id=caller.user_id, name=credential.user_name, email=caller.email, is_administrator=caller.is_administrator
        ),
        key=_key(credential) if caller.key_id else None,
        session=_session(credential) if caller.session_id else None,
        permissions=[ALL_SCOPES] if caller.scopes is None else sorted(caller.scopes),
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
