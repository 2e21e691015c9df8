"""ID tokens are believed only when everything about them is right."""

import time
from typing import Any, Final, cast

import pytest
from joserfc import jwk, jwt

from towline.actions.identities.base import Attempt, Client
from towline.actions.identities.discovery import ALGORITHMS, OpenIdEndpoints, endpoints_of
from towline.actions.identities.google import GoogleProvider
from towline.actions.identities.openid import OpenIdProvider
from towline.actions.identities.tokens import find_key, verify_id_token
from towline.errors import ProviderUnavailable, SignInRefused
from towline.infra.documents import Document, Documents

ISSUER: Final = "https://sso.example.com"
KEYS_URL: Final = f"{ISSUER}/keys"
NONCE: Final = "the-nonce"
SECRET: Final = "s" * 40


class KeptDocuments(Documents):
    """Documents that are there from the start; counts how often one was asked for anew."""

    def __init__(self, *contents: Any) -> None:
        super().__init__()
        self.contents = list(contents)
        self.asked = 0

    async def get_kept(self, url: str, *, is_stale: bool = False) -> Document:
        """The first content, or the next one when it is called stale."""
        assert url == KEYS_URL
        self.asked += 1
        if is_stale and len(self.contents) > 1:
            self.contents.pop(0)
        return Document(200, self.contents[0])


def _endpoints(**changes: Any) -> OpenIdEndpoints:
    values: dict[str, Any] = {
        "issuer": ISSUER,
        "authorization": f"{ISSUER}/auth",
        "token": f"{ISSUER}/token",
        "keys": KEYS_URL,
        "userinfo": "",
        "algorithms": ALGORITHMS,
        "has_basic": True,
        "gives_issuer": False,
    }
    return OpenIdEndpoints(**{**values, **changes})


def _client(documents: Documents) -> Client:
    return Client(documents, "Company", ISSUER, "towline", SECRET, "https://towline.example.com/callback")


def _key(kid: str, kind: Any = "RSA", size: Any = 2048) -> Any:
    return cast("Any", jwk.generate_key(kind, size, parameters={"kid": kid, "use": "sig"}))


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "1", "aud": "towline", "exp": now + 300, "iat": now, "nonce": NONCE, **changes}
    return {name: value for name, value in claims.items() if value is not None}


RSA: Final = _key("rsa")
EC: Final = _key("ec", "EC", "P-256")
OTHER: Final = _key("rsa")
PUBLISHED: Final = {
    "keys": [
        {**RSA.as_dict(private=False), "x5c": ["not looked at"]},
        EC.as_dict(private=False),
        {"kty": "strange", "kid": "strange"},
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
    ]
}


def _signed(claims: dict[str, Any], *, key: Any = RSA, alg: str = "RS256", **header: Any) -> str:
    token: str = jwt.encode({"alg": alg, "kid": key.kid, **header}, claims, key, algorithms=[alg])
    return token


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256")])
async def test_a_right_token_gives_its_claims(key: Any, alg: str) -> None:
    client = _client(KeptDocuments(PUBLISHED))
    token = _signed(_claims(email="ann@example.com"), key=key, alg=alg)
    claims = await verify_id_token(client, _endpoints(), token, nonce=NONCE)
    assert claims["email"] == "ann@example.com"
    shared = _signed(_claims(aud=["towline", "other"], azp="towline"))
    assert await verify_id_token(client, _endpoints(), shared, nonce=NONCE)


_NOW: Final = int(time.time())
WRONG: Final[dict[str, str]] = {
    "issuer": _signed(_claims(iss="https://evil.example")),
    "no issuer": _signed(_claims(iss=None)),
    "audience": _signed(_claims(aud="another")),
    "no audience": _signed(_claims(aud=None)),
    "several audiences without a party": _signed(_claims(aud=["towline", "other"])),
    "another party": _signed(_claims(azp="other")),
    "expired": _signed(_claims(exp=_NOW - 120)),
    "no end": _signed(_claims(exp=None)),
    "of the future": _signed(_claims(iat=_NOW + 600)),
    "nonce of another attempt": _signed(_claims(nonce="another")),
    "no nonce": _signed(_claims(nonce=None)),
    "a nonce that is no text": _signed(_claims(nonce=["the-nonce"])),
    "no subject": _signed(_claims(sub=None)),
    "a subject that is no text": _signed(_claims(sub=7)),
    "another key by the same name": _signed(_claims(), key=OTHER),
    "an unknown key": _signed(_claims(), key=_key("unknown", "EC", "P-256"), alg="ES256"),
    "an algorithm of another kind": _signed(_claims(), kid="ec"),
    "the client secret as key": _signed(_claims(), key=jwk.OctKey.import_key(SECRET), alg="HS256", kid="shared"),
    "the public key as a secret": _signed(
        _claims(), key=jwk.OctKey.import_key(RSA.as_pem(private=False).replace(b"-----", b"")), alg="HS256", kid="rsa"
    ),
    "no signature": "eyJhbGciOiJub25lIn0." + _signed(_claims()).split(".")[1] + ".",
    "a changed one": _signed(_claims())[:-8] + "AAAAAAAA",
    "nothing": "",
    "no token": "a.b.c",
    "five parts": "a.b.c.d.e",
}


@pytest.mark.parametrize("token", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_token_is_refused(token: str) -> None:
    client = _client(KeptDocuments(PUBLISHED))
    with pytest.raises(SignInRefused):
        await verify_id_token(client, _endpoints(), token, nonce=NONCE)


async def test_an_algorithm_that_the_provider_does_not_name_is_refused() -> None:
    client = _client(KeptDocuments(PUBLISHED))
    with pytest.raises(SignInRefused):
        await verify_id_token(client, _endpoints(algorithms=("ES256",)), _signed(_claims()), nonce=NONCE)


async def test_keys_are_fetched_anew_for_an_unknown_name_only() -> None:
    documents = KeptDocuments({"keys": []}, PUBLISHED)
    client = _client(documents)
    assert await verify_id_token(client, _endpoints(), _signed(_claims()), nonce=NONCE)
    assert documents.asked == 2
    assert await verify_id_token(client, _endpoints(), _signed(_claims()), nonce=NONCE)
    assert documents.asked == 3


def test_a_token_without_a_key_name_needs_the_only_key_of_its_kind() -> None:
    published = [RSA.as_dict(private=False), EC.as_dict(private=False)]
    assert find_key(published, {"alg": "RS256"}) is not None
    assert find_key([*published, OTHER.as_dict(private=False)], {"alg": "RS256"}) is None


def test_verifier_and_nonce_belong_to_one_browser_and_one_attempt() -> None:
    first = Attempt.of_browser("secret", state="one")
    assert first == Attempt.of_browser("secret", state="one")
    others = [Attempt.of_browser("secret", state="two"), Attempt.of_browser("another", state="one")]
    values = {value for attempt in (first, *others) for value in (attempt.verifier, attempt.nonce)}
    assert len(values) == 6
    assert all(43 <= len(attempt.verifier) <= 128 for attempt in (first, *others))


def test_a_configuration_must_be_of_the_issuer_and_lead_to_https() -> None:
    client = _client(Documents())
    good = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/auth",
        "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": KEYS_URL,
    }
    assert endpoints_of(client, good).algorithms == ("RS256",)
    wrong: list[dict[str, Any]] = [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://sso.example.com/token"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "https://user:password@sso.example.com/"},
        {"authorization_endpoint": 7},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    ]
    for change in wrong:
        with pytest.raises(ProviderUnavailable):
            endpoints_of(client, {**good, **change})


def test_an_address_is_verified_only_by_who_may_say_so() -> None:
    plain, google = OpenIdProvider(), GoogleProvider()
    assert plain.is_email_verified({"email": "a@b.example", "email_verified": True})
    assert plain.is_email_verified({"email": "a@b.example", "email_verified": "true"})
    for value in (None, False, "false", 1, "yes", [True]):
        assert not plain.is_email_verified({"email": "a@b.example", "email_verified": value})
    assert google.is_email_verified({"email": "a@gmail.com", "email_verified": True})
    assert google.is_email_verified({"email": "a@b.example", "hd": "b.example", "email_verified": True})
    assert not google.is_email_verified({"email": "a@b.example", "email_verified": True})
    assert not google.is_email_verified({"email": "a@b.example", "hd": "c.example", "email_verified": True})
