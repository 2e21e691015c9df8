"""HTTP: identity providers, for administrators and for the sign-in page."""

from typing import Any

from towline.actions.granting import check_unlimited
from towline.actions.identities.administration import (
    client_of,
    create_provider,
    former_redirect_uri,
    get_provider,
    list_providers,
    redirect_uri,
    update_provider,
)
from towline.actions.identities.kinds import PROVIDERS
from towline.actions.sessions import end_provider_sessions
from towline.contract.identities import (
    IdentityProvider,
    IdentityProviderCheck,
    IdentityProviderCreate,
    IdentityProviderList,
    IdentityProviderUpdate,
    SignInChoice,
    SignInChoiceList,
)
from towline.errors import TowlineError, Unavailable
from towline.models.identities import IdentityProvider as ProviderRow
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("identityProviders.listForSignIn")
async def list_for_sign_in(call: Call) -> SignInChoiceList:
    """Names only: everybody can read this."""
    rows = await list_providers(call.session, only_enabled=True)
    return SignInChoiceList(
        items=[
            SignInChoice.model_validate(
                {"name": row.name, "title": row.title, "kind": row.kind, "path": f"/sign-in/with/{row.name}"}
            )
            for row in rows
        ]
    )


@router.operation("identityProviders.list")
async def list_(call: Call) -> IdentityProviderList:
    """All providers, by name."""
    return IdentityProviderList(items=[_shown(call, row) for row in await list_providers(call.session)])


@router.operation("identityProviders.get")
async def get(call: Call) -> IdentityProvider:
    """One provider."""
    return _shown(call, await get_provider(call.session, call.path["provider"]))


@router.operation("identityProviders.create")
async def create(call: Call, body: IdentityProviderCreate) -> IdentityProvider:
    """A new provider."""
    check_unlimited(call.caller)
    values = body.model_dump(exclude={"name", "kind", "client_secret"})
    row = await create_provider(
        call.platform, call.work, name=body.name, kind=body.kind, client_secret=body.client_secret, values=values
    )
    call.note(row.id, name=row.name, kind=row.kind, issuer=row.issuer, is_trusted=row.is_trusted)
    return _shown(call, row)


@router.operation("identityProviders.update")
async def update(call: Call, body: IdentityProviderUpdate) -> IdentityProvider:
    """Change what was given."""
    check_unlimited(call.caller)
    row = await get_provider(call.session, call.path["provider"])
    values = body.model_dump(exclude={"client_secret"}, exclude_none=True)
    if body.is_enabled is False:
        await end_provider_sessions(call.platform, call.work, row.name)
    before = {name: getattr(row, name) for name in values}
    await update_provider(call.platform, call.work, row, client_secret=body.client_secret, values=values)
    changes = {name: {"before": before[name], "after": getattr(row, name)} for name in values}
    call.note(row.id, name=row.name, changes=changes, is_secret_changed=body.client_secret is not None)
    return _shown(call, row)


@router.operation("identityProviders.delete")
async def delete(call: Call) -> None:
    """Delete a provider with all identities there."""
    row = await get_provider(call.session, call.path["provider"])
    call.note(row.id, name=row.name)
    await end_provider_sessions(call.platform, call.work, row.name)
    await call.session.delete(row)


@router.operation("identityProviders.test", holds_transaction=False)
async def test(call: Call) -> IdentityProviderCheck:
    """Ask the provider for what signing in needs, and say what is wrong."""
    async with call.platform.database.transaction() as work:
        row = await get_provider(work.session, call.path["provider"])
    problem, hint = "", ""
    try:
        await PROVIDERS[row.kind].check(client_of(call.platform, row))
    except Unavailable as error:
        problem, hint = error.message, _hint_for_administrators(error)
    return IdentityProviderCheck(
        is_working=not problem, problem=problem, hint=hint, redirect_uri=redirect_uri(call.platform, row.name)
    )


def _hint_for_administrators(error: TowlineError) -> str:
    if error.hint != type(error).hint:
        return error.hint
    return "Check the issuer's address, and that this machine can reach it."


def _shown(call: Call, row: ProviderRow) -> IdentityProvider:
    columns = ("id", "name", "kind", "title", "issuer", "client_id", "is_enabled", "is_trusted", "allows_sign_up")
    values: dict[str, Any] = {name: getattr(row, name) for name in (*columns, "email_domains", "created_at")}
    return IdentityProvider(
        **values,
        redirect_uri=redirect_uri(call.platform, row.name),
        former_redirect_uri=former_redirect_uri(call.platform, row),
    )
