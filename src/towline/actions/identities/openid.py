"""Any OpenID Connect provider, found by discovery."""

from collections.abc import Mapping
from typing import Any

from towline.actions.identities.base import (
    LONGEST_ADDRESS,
    LONGEST_SUBJECT,
    Attempt,
    Client,
    Profile,
    Provider,
    answered_code,
    authorization_request,
    optional_text,
    required_object,
    required_text,
)
from towline.actions.identities.discovery import OpenIdEndpoints, discover
from towline.actions.identities.exchange import check_client, exchange_code
from towline.actions.identities.tokens import verify_id_token
from towline.errors import SignInRefused


class OpenIdProvider(Provider):
    """Authorization code flow with PKCE and nonce (OpenID Connect Core 3.1)."""

    title = "OpenID Connect"
    scope = "openid email profile"

    async def authorization_url(self, client: Client, attempt: Attempt) -> str:
        """Where to send the browser."""
        endpoints = await discover(client)
        return authorization_request(endpoints.authorization, client, attempt, scope=self.scope, nonce=attempt.nonce)

    async def fetch_profile(self, client: Client, attempt: Attempt, answer: Mapping[str, str]) -> Profile:
        """Who came back: the ID token's claims, and those of the userinfo endpoint where the e-mail is only there."""
        endpoints = await discover(client)
        _check_issuer(client, endpoints, answer)
        code = answered_code(client, answer)
        tokens = await exchange_code(client, endpoints.token, code=code, attempt=attempt, has_basic=endpoints.has_basic)
        token = required_text(client, tokens, "id_token", longest=64 * 1024)
        claims = await verify_id_token(client, endpoints, token, nonce=attempt.nonce)
        if "email" not in claims and endpoints.userinfo:
            access_token = required_text(client, tokens, "access_token", longest=64 * 1024)
            claims = {**claims, **await _fetch_userinfo(client, endpoints, access_token, subject=claims["sub"])}
        return Profile(
            subject=required_text(client, claims, "sub", longest=LONGEST_SUBJECT),
            email=optional_text(claims, "email", longest=LONGEST_ADDRESS),
            is_email_verified=self.is_email_verified(claims),
            name=optional_text(claims, "name"),
        )

    async def check(self, client: Client) -> str:
        """Return the issuer when discovery, keys and client all work."""
        endpoints = await discover(client)
        await check_client(client, endpoints.token, has_basic=endpoints.has_basic)
        return endpoints.issuer

    def is_email_verified(self, claims: Mapping[str, Any]) -> bool:
        """Whether the provider vouches for the address; some write the truth as a text."""
        value = claims.get("email_verified")
        return value is True or value == "true"


def _check_issuer(client: Client, endpoints: OpenIdEndpoints, answer: Mapping[str, str]) -> None:
    """RFC 9207: an answer must not come from another provider than the one that was asked."""
    given = answer.get("iss", "" if endpoints.gives_issuer else endpoints.issuer)
    if given != endpoints.issuer:
        raise SignInRefused(f"The answer does not come from {client.title}.")


async def _fetch_userinfo(
    client: Client, endpoints: OpenIdEndpoints, access_token: str, *, subject: str
) -> Mapping[str, Any]:
    headers = {"Authorization": f"Bearer {access_token}"}
    document = await client.get(endpoints.userinfo, headers=headers)
    claims = required_object(client, document, what="who you are")
    if claims.get("sub") != subject:
        raise SignInRefused(f"{client.title} told of another user than the one who signed in.")
    return claims
