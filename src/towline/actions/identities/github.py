"""GitHub: OAuth 2 with PKCE, and its REST API for who signed in."""

from collections.abc import Mapping
from typing import Any, Final, cast

from towline.actions.identities.base import (
    LONGEST_ADDRESS,
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
from towline.actions.identities.exchange import check_client, exchange_code
from towline.errors import ProviderUnavailable

_PUBLIC: Final = "https://github.com"
_VERSION: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GitHubProvider(Provider):
    """https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps"""

    title = "GitHub"
    default_issuer = _PUBLIC

    async def authorization_url(self, client: Client, attempt: Attempt) -> str:
        """Where to send the browser."""
        endpoint = f"{client.issuer}/login/oauth/authorize"
        return authorization_request(endpoint, client, attempt, scope="read:user user:email")

    async def fetch_profile(self, client: Client, attempt: Attempt, answer: Mapping[str, str]) -> Profile:
        """Who came back; the address is the account's primary one, which GitHub says is verified or not."""
        code = answered_code(client, answer)
        tokens = await exchange_code(client, _token_url(client), code=code, attempt=attempt, has_basic=False)
        token = required_text(client, tokens, "access_token")
        headers = {"Authorization": f"Bearer {token}", **_VERSION}
        api = api_url(client.issuer)
        user = await client.get(f"{api}/user", headers=headers)
        emails = await client.get(f"{api}/user/emails", headers=headers)
        listed: object = emails.content if emails.status == 200 else []
        return github_profile(client, required_object(client, user, what="who you are"), listed)

    async def check(self, client: Client) -> str:
        """Return the address of the API when it and the client's id and secret work."""
        api = api_url(client.issuer)
        required_object(client, await client.get(f"{api}/meta", headers=_VERSION), what="its API")
        await check_client(client, _token_url(client), has_basic=False)
        return api


def github_profile(client: Client, user: Mapping[str, Any], emails: object) -> Profile:
    """The profile in the answers of `/user` and `/user/emails`; the id stays when the login name changes."""
    number = user.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise ProviderUnavailable(f"{client.title} gave no usable 'id'.")
    primary = _primary(emails)
    return Profile(
        subject=str(number),
        email=optional_text(primary, "email", longest=LONGEST_ADDRESS),
        is_email_verified=primary.get("verified") is True,
        name=optional_text(user, "name") or optional_text(user, "login"),
    )


def api_url(issuer: str) -> str:
    """The REST API of github.com, or of a GitHub Enterprise Server."""
    return "https://api.github.com" if issuer == _PUBLIC else f"{issuer}/api/v3"


def _primary(emails: object) -> Mapping[str, Any]:
    listed = cast("list[object]", emails) if isinstance(emails, list) else []
    rows = [cast("Mapping[str, Any]", row) for row in listed if isinstance(row, dict)]
    return next((row for row in rows if row.get("primary") is True), dict[str, Any]())


def _token_url(client: Client) -> str:
    return f"{client.issuer}/login/oauth/access_token"
