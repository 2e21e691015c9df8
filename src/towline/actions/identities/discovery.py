"""What an OpenID provider publishes about itself (OpenID Connect Discovery 1.0)."""

from dataclasses import dataclass
from typing import Any, Final

from towline.actions.identities.base import Client, required_object, required_text
from towline.errors import InvalidInput, ProviderUnavailable
from towline.infra.documents import check_address, is_local_http

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a public key. Never `none`, and never HS…, which the client secret could be guessed from."""
WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class OpenIdEndpoints:
    """Addresses and abilities of an OpenID provider; `userinfo` may be empty."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str
    algorithms: tuple[str, ...]
    has_basic: bool
    gives_issuer: bool


async def discover(client: Client) -> OpenIdEndpoints:
    """The provider's endpoints, kept for a while; ProviderUnavailable saying what is wrong with what it publishes."""
    url = client.issuer.rstrip("/") + WELL_KNOWN
    document = await client.get_kept(url)
    if document.status != 200:
        raise ProviderUnavailable(
            f"{client.title} answered {document.status} at {url}.", hint="Check the issuer's address."
        )
    return endpoints_of(client, required_object(client, document, what="its configuration"))


def endpoints_of(client: Client, content: dict[str, Any]) -> OpenIdEndpoints:
    """The endpoints in a configuration, checked."""
    issuer = required_text(client, content, "issuer")
    if issuer.rstrip("/") != client.issuer.rstrip("/"):
        raise ProviderUnavailable(
            f"{client.title} says that its issuer is {issuer}, not {client.issuer}.",
            hint=f"Set the issuer to {issuer}.",
        )
    offered = _texts(content, "id_token_signing_alg_values_supported", default=["RS256"])
    algorithms = tuple(name for name in ALGORITHMS if name in offered)
    if not algorithms:
        raise ProviderUnavailable(
            f"{client.title} signs in none of the ways Towline accepts ({', '.join(ALGORITHMS)})."
        )
    methods = _texts(content, "token_endpoint_auth_methods_supported", default=["client_secret_basic"])
    return OpenIdEndpoints(
        issuer=issuer,
        authorization=_address(client, content, "authorization_endpoint"),
        token=_address(client, content, "token_endpoint"),
        keys=_address(client, content, "jwks_uri"),
        userinfo=_address(client, content, "userinfo_endpoint") if content.get("userinfo_endpoint") else "",
        algorithms=algorithms,
        has_basic="client_secret_basic" in methods,
        gives_issuer=content.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(client: Client, content: dict[str, Any], name: str) -> str:
    url = required_text(client, content, name)
    try:
        check_address(url, field=name)
    except InvalidInput as error:
        raise ProviderUnavailable(f"{client.title} has an unusable {name}: {error.message}") from error
    if is_local_http(url) and not is_local_http(client.issuer):
        raise ProviderUnavailable(f"{client.title} has an unusable {name}: {url} is not https.")
    return url


def _texts(content: dict[str, Any], name: str, *, default: list[str]) -> list[Any]:
    value: object = content.get(name)
    return value if isinstance(value, list) else default  # pyright: ignore[reportUnknownVariableType]
