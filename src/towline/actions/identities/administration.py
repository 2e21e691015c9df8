"""Identity providers as instance administrators set them up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.identities.base import Client
from towline.actions.identities.kinds import PROVIDERS
from towline.actions.installation import platform_url, url_of_host
from towline.actions.platform import Platform
from towline.errors import Conflict, InvalidInput, NotFound
from towline.infra.database import Work
from towline.infra.documents import check_address
from towline.models.base import utc_now
from towline.models.identities import Identity, IdentityProvider
from towline.names import new_id

MOST_PROVIDERS: Final = 50


async def list_providers(session: AsyncSession, *, only_enabled: bool = False) -> Sequence[IdentityProvider]:
    """All providers by name; there are few."""
    query = select(IdentityProvider).order_by(IdentityProvider.name)
    if only_enabled:
        query = query.where(IdentityProvider.is_enabled)
    return (await session.scalars(query)).all()


async def get_provider(session: AsyncSession, reference: str) -> IdentityProvider:
    """A provider by id or name; NotFound otherwise."""
    query = select(IdentityProvider).where(or_(IdentityProvider.id == reference, IdentityProvider.name == reference))
    provider = (await session.scalars(query)).one_or_none()
    if provider is None:
        raise NotFound(f"There is no identity provider {reference!r}.", hint="List them with `towline providers`.")
    return provider


async def create_provider(
    platform: Platform, work: Work, *, name: str, kind: str, client_secret: str, values: Mapping[str, Any]
) -> IdentityProvider:
    """A new provider; Conflict when the name is taken. `values` are further columns, an empty issuer is the kind's."""
    present = await list_providers(work.session)
    if name in {row.name for row in present}:
        raise Conflict(f"There is already an identity provider {name!r}.", hint="Choose another name, or change it.")
    if len(present) >= MOST_PROVIDERS:
        raise Conflict(f"There are already {MOST_PROVIDERS} identity providers.", hint="Delete one that is not used.")
    kept = {**values, "issuer": _checked_issuer(kind, values.get("issuer") or "")}
    provider = IdentityProvider(id=new_id("idp"), created_at=utc_now(), name=name, kind=kind, **kept)
    provider.title = provider.title or PROVIDERS[kind].title
    provider.client_secret = platform.secrets.seal(client_secret, context=client_secret_context(provider))
    work.session.add(provider)
    await work.session.flush()
    return provider


async def update_provider(
    platform: Platform,
    work: Work,
    provider: IdentityProvider,
    *,
    client_secret: str | None,
    values: Mapping[str, Any],
) -> None:
    """Change columns of a provider; `client_secret` None keeps the secret.

    Conflict for another issuer while users have identities there: who has the same number elsewhere is somebody else.
    """
    kept = dict(values)
    if "issuer" in kept:
        kept["issuer"] = _checked_issuer(provider.kind, kept["issuer"])
        if kept["issuer"].rstrip("/") != provider.issuer.rstrip("/"):
            await _check_nobody_is_there(work, provider)
    for column, value in kept.items():
        setattr(provider, column, value)
    provider.title = provider.title or PROVIDERS[provider.kind].title
    if client_secret is not None:
        provider.client_secret = platform.secrets.seal(client_secret, context=client_secret_context(provider))
    await work.session.flush()


def client_of(platform: Platform, provider: IdentityProvider) -> Client:
    """Towline as this provider knows it."""
    return Client(
        documents=platform.documents,
        title=provider.title,
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=platform.secrets.open_text(provider.client_secret, context=client_secret_context(provider)),
        redirect_uri=former_redirect_uri(platform, provider) or redirect_uri(platform, provider.name),
    )


def redirect_uri(platform: Platform, name: str) -> str:
    """The address that has to be registered at the provider, exactly."""
    return f"{platform_url(platform)}{_callback(name)}"


def former_redirect_uri(platform: Platform, provider: IdentityProvider) -> str:
    """The one at a former host of Towline that the provider knows instead, since it was set up there; empty: none."""
    host = platform.former_hosts.find_host_of(provider.created_at)
    return f"{url_of_host(platform, host)}{_callback(provider.name)}" if host else ""


def _callback(name: str) -> str:
    return f"/sign-in/with/{name}/callback"


def client_secret_context(provider: IdentityProvider) -> str:
    """What a provider's sealed client secret is bound to."""
    return f"identity-provider:{provider.id}"


async def _check_nobody_is_there(work: Work, provider: IdentityProvider) -> None:
    locked = select(IdentityProvider.id).where(IdentityProvider.id == provider.id).with_for_update()
    await work.session.execute(locked)  # nobody is linked meanwhile
    query = select(Identity.id).where(Identity.provider_id == provider.id).limit(1)
    if await work.session.scalar(query) is not None:
        raise Conflict(
            f"Users sign in with {provider.title} by who they are at {provider.issuer}.",
            hint="Make another provider for the other issuer, and delete this one when nobody needs it.",
        )


def _checked_issuer(kind: str, issuer: str) -> str:
    chosen = issuer.strip() or PROVIDERS[kind].default_issuer
    if not chosen:
        raise InvalidInput(
            "issuer is needed for this kind.",
            hint="It is the address before /.well-known/openid-configuration.",
            field="issuer",
        )
    if "?" in chosen:
        raise InvalidInput("issuer must not have a query.", field="issuer")
    check_address(chosen)
    return chosen if kind != "github" else chosen.rstrip("/")
