"""The two ceremonies of passkeys (WebAuthn Level 3): what a browser is asked for, and whether its answer is right."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from towline.errors import Conflict, InvalidInput
from towline.infra.lazily import load

RELYING_PARTY_NAME: Final = "Towline"
TIMEOUT_MILLISECONDS: Final = 5 * 60 * 1000
_ALGORITHMS: Final = (-8, -7, -257)
"""EdDSA, ES256 and RS256 by their COSE numbers, best first; what WebAuthn, section 5.4, asks for."""

_TRANSPORTS: Final = ("usb", "nfc", "ble", "smart-card", "internal", "cable", "hybrid")
_LONGEST_CREDENTIAL_ID: Final = 1023
_HINT: Final = "Begin again; use the passkey on the page of this Towline, in the browser that asked for it."


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are made for: a host name, and the addresses its pages may have."""

    host: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Registered:
    """A new passkey, as its authenticator tells it."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    is_backed_up: bool


@dataclass(frozen=True, slots=True)
class Asserted:
    """A proof by a passkey that was verified."""

    sign_count: int
    is_backed_up: bool


@dataclass(frozen=True, slots=True)
class KnownCredential:
    """A passkey as browsers are told of it."""

    credential_id: bytes
    transports: Sequence[str]


def relying_party(*, host: str, url: str) -> RelyingParty:
    """The relying party of an installation whose pages are at `url`; Conflict where browsers know no passkeys.

    An https address in front of it (a proxy of the user's own) counts as well. Browsers allow passkeys only on https
    and on localhost: WebAuthn, section 5.1.3, through Secure Contexts, section 3.1.
    """
    host, url = host.lower(), url.lower()
    is_local = host == "localhost" or host.endswith(".localhost")
    origins = dict.fromkeys(origin for origin in (url, f"https://{host}") if is_local or origin.startswith("https://"))
    return RelyingParty(host, tuple(origins))


def check_usable(url: str, party: RelyingParty) -> None:
    """Return when browsers know passkeys at this address of the installation; Conflict otherwise."""
    if url.lower() not in party.origins:
        hint = "Give the installation a certificate (TOWLINE_ACME_EMAIL), or use one-time codes of an app."
        raise Conflict(f"Browsers know no passkeys at {url}: it is not https.", hint=hint)


def challenge_of(ticket: str) -> bytes:
    """The challenge that belongs to a ticket: as random and as short-lived as the ticket, which is used once."""
    return hashlib.sha256(b"towline passkey challenge:" + ticket.encode()).digest()


def registration_options(
    party: RelyingParty,
    *,
    user_id: str,
    account: str,
    display_name: str,
    challenge: bytes,
    known: Sequence[KnownCredential],
) -> dict[str, Any]:
    """What `navigator.credentials.create` takes, in its JSON form: a discoverable passkey that verifies its user."""
    return {
        "rp": {"id": party.host, "name": RELYING_PARTY_NAME},
        "user": {"id": to_base64url(user_id.encode()), "name": account, "displayName": display_name},
        "challenge": to_base64url(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in _ALGORITHMS],
        "timeout": TIMEOUT_MILLISECONDS,
        "excludeCredentials": [_descriptor(credential) for credential in known],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
    }


def assertion_options(
    party: RelyingParty, *, challenge: bytes, known: Sequence[KnownCredential] = ()
) -> dict[str, Any]:
    """What `navigator.credentials.get` takes, in its JSON form; without `known` any passkey of this host may answer."""
    return {
        "challenge": to_base64url(challenge),
        "timeout": TIMEOUT_MILLISECONDS,
        "rpId": party.host,
        "allowCredentials": [_descriptor(credential) for credential in known],
        "userVerification": "required",
    }


def verify_registration(party: RelyingParty, credential: Mapping[str, Any], *, challenge: bytes) -> Registered:
    """The passkey of a registration that is right in every point; InvalidInput otherwise. Blocks for milliseconds."""
    library: Any = load("webauthn")
    try:
        found = library.verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
    except _refusals() as error:
        raise _invalid("The passkey was not accepted", error) from error
    if not 0 < len(found.credential_id) <= _LONGEST_CREDENTIAL_ID:
        raise InvalidInput("The passkey has an impossible id.", field="credential", hint=_HINT)
    return Registered(
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        transports=_transports_in(credential),
        is_backed_up=found.credential_backed_up,
    )


def verify_assertion(
    party: RelyingParty, credential: Mapping[str, Any], *, challenge: bytes, public_key: bytes
) -> Asserted:
    """The proof of a passkey that is right in every point; InvalidInput otherwise. Blocks for milliseconds.

    The count of signatures is not judged here but by `has_gone_back`, once the signature is known to be right.
    """
    library: Any = load("webauthn")
    try:
        found = library.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=list(party.origins),
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _refusals() as error:
        raise _invalid("The passkey's proof was not accepted", error) from error
    return Asserted(found.new_sign_count, found.credential_backed_up)


def has_gone_back(*, known: int, told: int) -> bool:
    """Whether a count of signatures says that there is a copy of the passkey (WebAuthn, section 6.1.1).

    Passkeys that are synchronised tell 0 for ever, which says nothing.
    """
    return (known > 0 or told > 0) and told <= known


def read_credential_id(credential: Mapping[str, Any]) -> bytes:
    """The id of the passkey that an answer claims to be of; empty when it names none."""
    value = credential.get("rawId")
    try:
        return from_base64url(value) if isinstance(value, str) else b""
    except ValueError:
        return b""


def read_user_handle(credential: Mapping[str, Any]) -> str:
    """The user id that an authenticator gave back; empty when it gave none."""
    response = credential.get("response")
    value = cast("Mapping[str, Any]", response).get("userHandle") if isinstance(response, dict) else None
    try:
        return from_base64url(value).decode() if isinstance(value, str) else ""
    except ValueError:
        return ""


def to_base64url(value: bytes) -> str:
    """Base64url without padding, as WebAuthn's JSON has it."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def from_base64url(value: str) -> bytes:
    """The bytes of base64url without padding; ValueError for what is none."""
    return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)


def _descriptor(credential: KnownCredential) -> dict[str, Any]:
    return {
        "type": "public-key",
        "id": to_base64url(credential.credential_id),
        "transports": list(credential.transports),
    }


def _transports_in(credential: Mapping[str, Any]) -> tuple[str, ...]:
    response = cast("Mapping[str, Any]", credential["response"])
    told = response.get("transports")
    names = cast("list[object]", told) if isinstance(told, list) else []
    return tuple(name for name in _TRANSPORTS if name in names)


def _refusals() -> tuple[type[Exception], ...]:
    """What the library raises for an answer that is wrong, and what its parsers let through for one that is garbled."""
    wrong: type[Exception] = load("webauthn.helpers.exceptions").WebAuthnException
    return (wrong, ValueError, TypeError, LookupError, AttributeError, InvalidSignature, UnsupportedAlgorithm)


def _invalid(what: str, error: Exception) -> InvalidInput:
    return InvalidInput(f"{what}: {str(error)[:200] or type(error).__name__}.", field="credential", hint=_HINT)
