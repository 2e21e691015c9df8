"""Ceremonies: what is right in every point passes, what is wrong in any is refused with a sentence."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.authenticator import Authenticator

from towline.actions.second_factors.ceremonies import (
    Registered,
    RelyingParty,
    assertion_options,
    challenge_of,
    check_usable,
    from_base64url,
    has_gone_back,
    registration_options,
    relying_party,
    to_base64url,
    verify_assertion,
    verify_registration,
)
from towline.errors import Conflict, InvalidInput

ORIGIN = "https://towline.example.com"
PARTY = relying_party(host="towline.example.com", url=ORIGIN)
CHALLENGE = challenge_of("ticket")


def registration(challenge: bytes = CHALLENGE, party: RelyingParty = PARTY) -> dict[str, Any]:
    return registration_options(
        party, user_id="usr_1", account="ann@example.com", display_name="Ann", challenge=challenge, known=()
    )


def registered(authenticator: Authenticator) -> Registered:
    return verify_registration(PARTY, authenticator.create(registration()), challenge=CHALLENGE)


def test_a_passkey_registers_and_proves_itself() -> None:
    authenticator = Authenticator(ORIGIN)
    made = registered(authenticator)
    assert made.credential_id == authenticator.credential_id
    assert made.transports == ("internal",)
    challenge = challenge_of("another")
    answer = authenticator.get(assertion_options(PARTY, challenge=challenge))
    proof = verify_assertion(PARTY, answer, challenge=challenge, public_key=made.public_key)
    assert proof.sign_count == 1


@pytest.mark.parametrize(
    ("authenticator", "options"),
    [
        (Authenticator("https://evil.example.com"), registration()),
        (Authenticator("http://towline.example.com"), registration()),
        (Authenticator(ORIGIN, is_user_verified=False), registration()),
        (Authenticator(ORIGIN), registration(challenge_of("other"))),
        (Authenticator(ORIGIN), registration(party=RelyingParty("example.com", (ORIGIN,)))),
        (Authenticator(ORIGIN, credential_id=b""), registration()),
    ],
)
def test_a_registration_that_is_wrong_in_one_point_is_refused(
    authenticator: Authenticator, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        verify_registration(PARTY, authenticator.create(options), challenge=CHALLENGE)
    assert refused.value.field == "credential"


def test_a_proof_that_is_wrong_in_one_point_is_refused() -> None:
    authenticator = Authenticator(ORIGIN)
    made = registered(authenticator)
    options = assertion_options(PARTY, challenge=CHALLENGE)
    other = Authenticator(ORIGIN, credential_id=authenticator.credential_id)
    unverified = Authenticator(ORIGIN, is_user_verified=False, key=authenticator.key)
    elsewhere = Authenticator("https://towline.example.com:8443", key=authenticator.key)
    stale = assertion_options(PARTY, challenge=challenge_of("yesterday"))
    for answer in (other.get(options), unverified.get(options), elsewhere.get(options), authenticator.get(stale)):
        with pytest.raises(InvalidInput):
            verify_assertion(PARTY, answer, challenge=CHALLENGE, public_key=made.public_key)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
_AUTHENTICATOR = Authenticator(ORIGIN)
_MADE = registered(_AUTHENTICATOR)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["id", "rawId", "type", "response"]), st.booleans())
def test_a_garbled_answer_is_refused_and_never_a_fault_of_ours(data: st.DataObject, name: str, is_inner: bool) -> None:
    for answer in (
        _AUTHENTICATOR.create(registration()),
        _AUTHENTICATOR.get(assertion_options(PARTY, challenge=CHALLENGE)),
    ):
        garbled = {**answer, name: data.draw(_json)}
        if is_inner:
            part = data.draw(st.sampled_from(sorted(set(answer["response"]) - {"transports", "userHandle"})))
            raw = bytearray(from_base64url(answer["response"][part]))
            place = data.draw(st.integers(0, 9999)) % len(raw)
            raw[place] ^= data.draw(st.integers(1, 255))
            cut = data.draw(st.integers(0, 9999)) % (len(raw) + 1)
            garbled = {**answer, "response": {**answer["response"], part: to_base64url(bytes(raw[:cut]))}}
        if "attestationObject" in answer["response"]:
            if is_inner:
                continue
            with pytest.raises(InvalidInput):
                verify_registration(PARTY, garbled, challenge=CHALLENGE)
        else:
            with pytest.raises(InvalidInput):
                verify_assertion(PARTY, garbled, challenge=CHALLENGE, public_key=_MADE.public_key)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=4), st.integers(0, 400), st.integers(0, 400))
def test_a_registration_with_any_bytes_changed_is_kept_or_refused(noise: bytes, place: int, cut: int) -> None:
    answer = _AUTHENTICATOR.create(registration())
    raw = bytearray(from_base64url(answer["response"]["attestationObject"]))
    raw[place : place + len(noise)] = noise
    answer["response"]["attestationObject"] = to_base64url(bytes(raw[: max(cut, place)]))
    try:
        made = verify_registration(PARTY, answer, challenge=CHALLENGE)
    except InvalidInput:
        return
    with pytest.raises(InvalidInput):
        verify_assertion(PARTY, {"id": "x"}, challenge=CHALLENGE, public_key=made.public_key)


@pytest.mark.parametrize(
    ("known", "told", "is_copy"),
    [(0, 0, False), (0, 1, False), (4, 5, False), (4, 4, True), (4, 3, True), (4, 0, True)],
)
def test_a_count_that_does_not_rise_tells_of_a_copy(known: int, told: int, is_copy: bool) -> None:
    assert has_gone_back(known=known, told=told) is is_copy


@pytest.mark.parametrize(
    ("host", "url", "origins"),
    [
        ("t.example.com", "https://t.example.com", ("https://t.example.com",)),
        ("t.example.com", "http://t.example.com", ("https://t.example.com",)),
        ("t.localhost", "http://t.localhost:8080", ("http://t.localhost:8080", "https://t.localhost")),
        ("localhost", "http://localhost:8080", ("http://localhost:8080", "https://localhost")),
    ],
)
def test_only_https_and_localhost_are_origins(host: str, url: str, origins: tuple[str, ...]) -> None:
    assert relying_party(host=host, url=url).origins == origins


def test_plain_http_elsewhere_is_told_before_a_browser_refuses() -> None:
    url = "http://t.example.com"
    with pytest.raises(Conflict, match="it is not https"):
        check_usable(url, relying_party(host="t.example.com", url=url))
