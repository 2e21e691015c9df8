"""What the stub server answers about second factors: one passkey, one-time codes that are on, one right code."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from tests.client.stub_state import API_KEY, NOW, StubState

from towline.contract.second_factors import Passkey, PasskeyList, RecoveryCodes, SecondFactors, TotpSetup
from towline.contract.sessions import SignInResult
from towline.contract.users import User
from towline.errors import Unauthenticated

CODE: Final = "123456"
CODES: Final = ["aaaa-bbbb-cccc-dddd", "eeee-ffff-gggg-hhhh"]
_PASSKEY: Final = Passkey(id="psk_1", name="Laptop", transports=["internal"], is_backed_up=True, created_at=NOW)


def _finish(state: StubState, path: Mapping[str, str], query: Any, body: Any) -> SignInResult:
    if body.code != CODE and body.recovery_code not in CODES:
        raise Unauthenticated("The code is wrong, or was used already.")
    return SignInResult(token=API_KEY)


ANSWERS: Final[dict[str, Callable[[StubState, Mapping[str, str], Any, Any], BaseModel | None]]] = {
    "sessions.create": lambda _state, _path, _query, _body: SignInResult(ticket="t" * 20, factors=["totp"]),
    "sessions.end": lambda _state, _path, _query, _body: None,
    "signIn.secondFactor": _finish,
    "secondFactors.list": lambda _state, _path, _query, _body: SecondFactors(
        is_needed=True, totp_since=NOW, passkeys=[_PASSKEY], recovery_codes_left=7
    ),
    "users.get": lambda _state, path, _query, _body: User(
        id=path["user"], email="ann@example.com", is_administrator=False, is_disabled=False, created_at=NOW
    ),
    "secondFactors.delete": lambda _state, _path, _query, _body: None,
    "totp.begin": lambda _state, _path, _query, _body: TotpSetup(
        secret="SECRET", uri="otpauth://totp/x?secret=SECRET", qr_svg="<svg/>"
    ),
    "totp.confirm": lambda _state, _path, _query, _body: RecoveryCodes(recovery_codes=CODES),
    "totp.delete": lambda _state, _path, _query, _body: None,
    "recoveryCodes.create": lambda _state, _path, _query, _body: RecoveryCodes(recovery_codes=CODES),
    "passkeys.list": lambda _state, _path, _query, _body: PasskeyList(items=[_PASSKEY]),
    "passkeys.update": lambda _state, _path, _query, body: _PASSKEY.model_copy(update={"name": body.name}),
    "passkeys.delete": lambda _state, _path, _query, _body: None,
}
