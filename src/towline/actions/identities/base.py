"""What every identity provider is to Towline: where a browser is sent, and who came back."""

import base64
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from towline.errors import ProviderUnavailable, SignInRefused, Unavailable
from towline.infra.documents import Document, Documents

LONGEST_SUBJECT: Final = 255
LONGEST_ADDRESS: Final = 254


@dataclass(frozen=True, slots=True, repr=False)
class Client:
    """Towline as one provider knows it."""

    documents: Documents
    title: str
    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str

    async def get(self, url: str, *, headers: Mapping[str, str]) -> Document:
        """GET something of the provider's."""
        with self._named():
            return await self.documents.get(url, headers=headers)

    async def get_kept(self, url: str, *, is_stale: bool = False) -> Document:
        """GET something of the provider's that seldom changes."""
        with self._named():
            return await self.documents.get_kept(url, is_stale=is_stale)

    async def post(self, url: str, form: Mapping[str, str], *, headers: Mapping[str, str]) -> Document:
        """POST a form to the provider."""
        with self._named():
            return await self.documents.post(url, form, headers=headers)

    @contextmanager
    def _named(self) -> Generator[None]:
        try:
            yield
        except Unavailable as error:
            raise ProviderUnavailable(f"{self.title} does not answer: {error.message}") from error


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """One try to sign in: what binds the provider's answer to the browser that began it.

    `verifier` and `nonce` come from a secret that only the browser holds (its cookie).
    """

    state: str
    verifier: str
    nonce: str

    @classmethod
    def of_browser(cls, secret: str, *, state: str) -> "Attempt":
        """The attempt of the browser that holds this secret; each state gives others."""
        return cls(state, verifier=_derived("verifier", state, secret), nonce=_derived("nonce", state, secret))

    @property
    def challenge(self) -> str:
        """The verifier as the provider gets it at first (RFC 7636, S256)."""
        return _encoded(hashlib.sha256(self.verifier.encode()).digest())


@dataclass(frozen=True, slots=True)
class Profile:
    """Who someone is at a provider. `email` is proven only if `is_email_verified`."""

    subject: str
    email: str
    is_email_verified: bool
    name: str


class Provider(ABC):
    """A kind of provider.

    All three methods raise ProviderUnavailable when the provider does not answer as its kind does. `fetch_profile`
    raises SignInRefused when the answer is not for this attempt.
    """

    title: ClassVar[str]
    default_issuer: ClassVar[str] = ""

    @abstractmethod
    async def authorization_url(self, client: Client, attempt: Attempt) -> str:
        """Where to send the browser."""

    @abstractmethod
    async def fetch_profile(self, client: Client, attempt: Attempt, answer: Mapping[str, str]) -> Profile:
        """Who came back, from the parameters the browser came back with."""

    @abstractmethod
    async def check(self, client: Client) -> str:
        """Return the name the provider gives itself when it can be used, client id and secret included."""


def authorization_request(endpoint: str, client: Client, attempt: Attempt, *, scope: str, **more: str) -> str:
    """The address of an authorization request with PKCE (RFC 6749 4.1.1, RFC 7636)."""
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": scope,
        "state": attempt.state,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
        **more,
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def answered_code(client: Client, answer: Mapping[str, str]) -> str:
    """The code that the browser brought back; SignInRefused saying what the provider said instead."""
    error = answer.get("error", "")
    if error == "access_denied":
        raise SignInRefused(f"{client.title} says that you did not agree to sign in.")
    if error or not answer.get("code"):
        reason = printable(answer.get("error_description") or error) or "no reason given"
        raise SignInRefused(f"{client.title} refused to sign you in: {reason}.")
    return answer["code"]


def required_object(client: Client, document: Document, *, what: str) -> dict[str, Any]:
    """The content of a successful answer; ProviderUnavailable otherwise."""
    content = document.as_object()
    if document.status == 200 and content:
        return content
    raise ProviderUnavailable(f"{client.title} answered {document.status} instead of {what}.")


def required_text(client: Client, content: Mapping[str, Any], name: str, *, longest: int = 2048) -> str:
    """A text that an answer must have."""
    value = content.get(name)
    if isinstance(value, str) and 0 < len(value) <= longest and value.isprintable():
        return value
    raise ProviderUnavailable(f"{client.title} gave no usable {name!r}.")


def optional_text(content: Mapping[str, Any], name: str, *, longest: int = 255) -> str:
    """A text of an answer, cut to what is kept; empty when there is none."""
    value = content.get(name)
    return printable(value)[:longest] if isinstance(value, str) else ""


def printable(text: str, *, longest: int = 200) -> str:
    """A foreign text made fit to be shown in a sentence."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:longest]).strip().rstrip(".")


def _derived(purpose: str, state: str, secret: str) -> str:
    return _encoded(hashlib.sha256(f"{purpose}:{state}:{secret}".encode()).digest())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
