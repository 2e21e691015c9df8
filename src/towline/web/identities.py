"""HTTP: the identities of the caller at providers."""

from towline.actions.credentials import check_recent_proof
from towline.actions.identities.administration import get_provider
from towline.actions.identities.linking import list_identities, unlink
from towline.actions.sessions import end_provider_sessions
from towline.contract.identities import Identity, IdentityList
from towline.models.identities import Identity as IdentityRow
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("identities.list")
async def list_(call: Call) -> IdentityList:
    """The caller's identities, oldest first."""
    rows = await list_identities(call.session, call.caller.user_id)
    return IdentityList(
        items=[
            Identity(
                id=identity.id,
                provider=provider.name,
                title=provider.title,
                email=identity.email,
                created_at=identity.created_at,
                last_used_at=identity.last_used_at,
            )
            for identity, provider in rows
        ]
    )


@router.operation("identities.delete")
async def delete(call: Call) -> None:
    """Unlink an identity."""
    identity = await _remove(call, call.path["identity"])
    call.note(identity.id, email=identity.email)


async def _remove(call: Call, identity_id: str) -> IdentityRow:
    """Unlink an identity, whose account may be in other hands: sessions that were opened by it end, but this one."""
    check_recent_proof(call.credential)
    caller = call.caller
    identity = await unlink(call.work, caller.user_id, identity_id)
    provider = await get_provider(call.session, identity.provider_id)
    await end_provider_sessions(
        call.platform, call.work, provider.name, user_id=caller.user_id, except_id=caller.session_id
    )
    return identity
