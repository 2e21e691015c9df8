"""ID tokens: of the provider, for this client, for this attempt and not expired (OpenID Connect Core 3.1.3.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import compare_digest
from typing import TYPE_CHECKING, Any, Final, cast

from towline.actions.identities.base import Client
from towline.actions.identities.discovery import OpenIdEndpoints
from towline.errors import ProviderUnavailable, SignInRefused
from towline.infra.lazily import load

if TYPE_CHECKING:
    from joserfc.errors import JoseError

LEEWAY_SECONDS: Final = 60
_KINDS: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an ID token must say."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: Sequence[str]


async def verify_id_token(client: Client, endpoints: OpenIdEndpoints, token: str, *, nonce: str) -> dict[str, Any]:
    """The claims of a token; the provider's keys are fetched again when they do not hold the one it names."""
    expectation = Expectation(endpoints.issuer, client.client_id, nonce, endpoints.algorithms)
    try:
        header = _header(token)
        key = find_key(await _fetch_keys(client, endpoints, is_stale=False), header)
        if key is None:
            key = find_key(await _fetch_keys(client, endpoints, is_stale=True), header)
        if key is None:
            raise SignInRefused(f"{client.title} signed with a key that it does not publish.")
        return check_token(token, key, expectation)
    except _jose_errors().JoseError as error:
        raise SignInRefused(f"The ID token of {client.title} is not valid: {_reason(error)}.") from error
    except ValueError as error:
        raise SignInRefused(f"The ID token of {client.title} cannot be read.") from error


def find_key(keys: Sequence[Mapping[str, Any]], header: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The published key that a token's header names; without a name, the only one of its kind."""
    kind = _KINDS.get(str(header.get("alg"))[:2])
    fitting = [key for key in keys if key.get("kty") == kind and key.get("use", "sig") == "sig"]
    if "kid" in header:
        fitting = [key for key in fitting if key.get("kid") == header["kid"]]
    return fitting[0] if len(fitting) == 1 else None


def check_token(token: str, key: Mapping[str, Any], expectation: Expectation) -> dict[str, Any]:
    """The claims of a token that is signed with this key and says what it must; JoseError or ValueError otherwise."""
    found = _jwt().decode(token, _jwk().import_key(_public(key)), algorithms=list(expectation.algorithms))
    claims = dict(found.claims)
    registry = _jwt().JWTClaimsRegistry(
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": expectation.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": expectation.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True},
    )
    registry.validate(claims)
    _check_party(claims, expectation.client_id)
    if not compare_digest(str(claims["nonce"]).encode(), expectation.nonce.encode()):
        raise _jose_errors().InvalidClaimError("nonce", "Claim 'nonce' is of another attempt")
    return claims


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """A token for several parties must name the one that asked for it."""
    audience: object = claims["aud"]
    is_shared = isinstance(audience, list) and len(cast("list[object]", audience)) > 1
    if claims.get("azp", None if is_shared else client_id) != client_id:
        raise _jose_errors().InvalidClaimError("azp", "Claim 'azp' names another party")


async def _fetch_keys(client: Client, endpoints: OpenIdEndpoints, *, is_stale: bool) -> list[Mapping[str, Any]]:
    document = await client.get_kept(endpoints.keys, is_stale=is_stale)
    keys: object = document.as_object().get("keys")
    if document.status != 200 or not isinstance(keys, list):
        raise ProviderUnavailable(f"{client.title} does not publish its keys at {endpoints.keys}.")
    return [cast("Mapping[str, Any]", key) for key in cast("list[object]", keys) if isinstance(key, dict)]


def _header(token: str) -> Mapping[str, Any]:
    header = _jws().extract_compact(token.encode()).headers()
    if not isinstance(header.get("alg"), str):
        raise ValueError("no algorithm")  # noqa: TRY004 - what the token says is wrong, not a type of ours
    return cast("Mapping[str, Any]", header)


def _public(key: Mapping[str, Any]) -> dict[str, Any]:
    """Only what a public key consists of: the rest (certificates, uses) differs between providers."""
    return {name: key[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in key}


def _reason(error: "JoseError") -> str:
    return (error.description or error.error).rstrip(".")


def _jwt() -> Any:
    return load("joserfc.jwt")


def _jwk() -> Any:
    return load("joserfc.jwk")


def _jws() -> Any:
    return load("joserfc.jws")


def _jose_errors() -> Any:
    return load("joserfc.errors")
