"""A code for tokens, at the provider's token endpoint (RFC 6749 4.1.3, with the verifier of RFC 7636)."""

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from towline.actions.identities.base import Attempt, Client, printable
from towline.errors import ProviderUnavailable, SignInRefused

_WRONG_CLIENT: Final = {"invalid_client", "unauthorized_client", "incorrect_client_credentials"}
_WRONG_CODE: Final = {"invalid_grant", "bad_verification_code"}


async def exchange_code(
    client: Client, endpoint: str, *, code: str, attempt: Attempt, has_basic: bool
) -> Mapping[str, Any]:
    """The token answer.

    SignInRefused for a code that is wrong, used or not this browser's; ProviderUnavailable for any other refusal.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": attempt.verifier,
    }
    headers: dict[str, str] = {}
    if has_basic:
        headers["Authorization"] = _basic(client)
    else:
        form |= {"client_id": client.client_id, "client_secret": client.client_secret}
    document = await client.post(endpoint, form, headers=headers)
    content = document.as_object()
    error = content.get("error")
    if error in _WRONG_CODE:
        raise SignInRefused(f"{client.title} does not accept this sign-in (any more).")
    if error in _WRONG_CLIENT:
        raise ProviderUnavailable(
            f"{client.title} does not accept the client id or client secret that Towline has for it.",
            hint="An administrator has to enter them again, as the provider shows them.",
        )
    if document.status != 200 or error or not content.get("access_token"):
        said = printable(str(content.get("error_description") or error or document.status))
        raise ProviderUnavailable(f"{client.title} gave no token: {said}.")
    return content


async def check_client(client: Client, endpoint: str, *, has_basic: bool) -> None:
    """Return when the provider accepts the client's id and secret: a made-up code is then all it refuses."""
    attempt = Attempt.of_browser("check", state="")
    try:
        await exchange_code(client, endpoint, code="towline-check", attempt=attempt, has_basic=has_basic)
    except SignInRefused:
        return


def _basic(client: Client) -> str:
    """RFC 6749 2.3.1: both parts are form-encoded first."""
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
