"""GitHub's kind, against the examples of GitHub's published REST description."""

import base64
import copy
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from towline.actions.identities.base import Attempt, Client
from towline.actions.identities.github import GitHubProvider, api_url, github_profile
from towline.errors import ProviderUnavailable, SignInRefused
from towline.infra.documents import Documents

EXAMPLES: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "github_examples.json").read_text())
USER: Final = EXAMPLES["/user"]["response-with-public-and-private-profile-information"]
EMAILS: Final = EXAMPLES["/user/emails"]["default"]
ATTEMPT: Final = Attempt.of_browser("secret", state="state")


@dataclass
class GitHub:
    """Serves the examples where a GitHub Enterprise Server has them."""

    url: str = ""
    challenge: str = ATTEMPT.challenge
    emails: Any = field(default_factory=lambda: EMAILS)
    emails_status: int = 200

    async def token(self, request: web.Request) -> web.Response:
        """As GitHub answers: 200 also for an error."""
        form = await request.post()
        verifier = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if (form["client_id"], form["client_secret"]) != ("id", "secret"):
            return web.json_response({"error": "incorrect_client_credentials", "error_description": "Wrong."})
        if form["code"] != "good" or base64.urlsafe_b64encode(verifier).decode().rstrip("=") != self.challenge:
            return web.json_response({"error": "bad_verification_code"})
        return web.json_response({"access_token": "gho_x", "token_type": "bearer", "scope": "read:user,user:email"})

    async def user(self, request: web.Request) -> web.Response:
        """Who signed in."""
        assert request.headers["Authorization"] == "Bearer gho_x"
        return web.json_response(USER)

    async def addresses(self, request: web.Request) -> web.Response:
        """Their addresses."""
        return web.json_response(self.emails, status=self.emails_status)

    async def meta(self, request: web.Request) -> web.Response:
        """The API itself."""
        return web.json_response({"verifiable_password_authentication": True})


@pytest.fixture
async def github() -> AsyncIterator[GitHub]:
    """A server with GitHub's answers."""
    github = GitHub()
    app = web.Application()
    app.router.add_post("/login/oauth/access_token", github.token)
    app.router.add_get("/api/v3/user", github.user)
    app.router.add_get("/api/v3/user/emails", github.addresses)
    app.router.add_get("/api/v3/meta", github.meta)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    github.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield github
    await runner.cleanup()


def _client(github: GitHub, *, secret: str = "secret") -> Client:
    return Client(Documents(), "GitHub", github.url, "id", secret, "http://towline.localhost/callback")


async def test_somebody_who_comes_back_is_known_by_number_and_primary_address(github: GitHub) -> None:
    profile = await GitHubProvider().fetch_profile(_client(github), ATTEMPT, {"code": "good", "state": "state"})
    assert (profile.subject, profile.email, profile.name) == ("1", "octocat@github.com", "monalisa octocat")
    assert profile.is_email_verified


async def test_only_the_verified_primary_address_counts(github: GitHub) -> None:
    github.emails = [
        {**EMAILS[0], "verified": False},
        {**EMAILS[0], "email": "other@github.com", "primary": False},
    ]
    profile = await GitHubProvider().fetch_profile(_client(github), ATTEMPT, {"code": "good"})
    assert not profile.is_email_verified
    github.emails, github.emails_status = {"message": "Requires authentication"}, 404
    profile = await GitHubProvider().fetch_profile(_client(github), ATTEMPT, {"code": "good"})
    assert (profile.email, profile.is_email_verified) == ("", False)


async def test_a_wrong_code_verifier_or_secret_is_refused(github: GitHub) -> None:
    provider = GitHubProvider()
    with pytest.raises(SignInRefused):
        await provider.fetch_profile(_client(github), ATTEMPT, {"code": "used"})
    with pytest.raises(SignInRefused):
        await provider.fetch_profile(_client(github), Attempt.of_browser("another", state="state"), {"code": "good"})
    with pytest.raises(SignInRefused, match="did not agree"):
        await provider.fetch_profile(_client(github), ATTEMPT, {"error": "access_denied"})
    with pytest.raises(ProviderUnavailable, match="client secret"):
        await provider.check(_client(github, secret="wrong"))
    assert await provider.check(_client(github)) == f"{github.url}/api/v3"


def test_an_answer_without_a_number_is_refused() -> None:
    for number in (None, "1", True):
        user = {**copy.deepcopy(USER), "id": number}
        with pytest.raises(ProviderUnavailable):
            github_profile(_client(GitHub()), user, EMAILS)


def test_the_api_is_beside_github_and_below_an_enterprise_server() -> None:
    assert api_url("https://github.com") == "https://api.github.com"
    assert api_url("https://git.example.com") == "https://git.example.com/api/v3"
