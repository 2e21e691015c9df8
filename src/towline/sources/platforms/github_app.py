"""A GitHub App: signed for by its private key, it gets tokens of an hour for the repositories it is installed at."""

import time
from collections.abc import Sequence
from typing import Any, Final

from towline.errors import InvalidInput
from towline.infra.lazily import load
from towline.sources.hosting import ApiRequest, HostKey, Rights

_VALID_SECONDS: Final = 540
_CLOCK_DRIFT_SECONDS: Final = 60
_MOST_INSTALLATIONS: Final = "100"


def app_headers(key: HostKey, *, now: float | None = None) -> dict[str, str]:
    """The App's own word that it is the App, valid for nine minutes (GitHub takes at most ten); InvalidInput for a
    key that is none.

    https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
    """
    moment = int(time.time() if now is None else now)
    claims = {"iat": moment - _CLOCK_DRIFT_SECONDS, "exp": moment + _VALID_SECONDS, "iss": key.app_id}
    token: str = load("joserfc.jwt").encode({"alg": "RS256"}, claims, _import_key(key.secret))
    return {"Authorization": f"Bearer {token}"}


def check_private_key(text: str) -> None:
    """Return when a text is a private RSA key in PEM form; InvalidInput naming `secret` otherwise."""
    _import_key(text)


def installations_request() -> ApiRequest:
    """Ask where the App is installed."""
    return ApiRequest("GET", "/app/installations", {"per_page": _MOST_INSTALLATIONS})


def token_request(installation: int, *, rights: Rights, repositories: Sequence[str] = ()) -> ApiRequest:
    """Ask for a token of an installation, for these repositories (without any: all of it) and rights alone."""
    body: dict[str, Any] = {"permissions": dict(rights)}
    if repositories:
        body["repositories"] = list(repositories)
    return ApiRequest("POST", f"/app/installations/{installation}/access_tokens", body=body)


def _import_key(text: str) -> Any:
    errors = load("joserfc.errors")
    try:
        key = load("joserfc.jwk").RSAKey.import_key(text)
    except (errors.JoseError, ValueError, TypeError) as error:
        raise InvalidInput("secret is no private key in PEM form.", field="secret") from error
    if not key.is_private:
        raise InvalidInput("secret is a public key; the App's private one is needed.", field="secret")
    return key
