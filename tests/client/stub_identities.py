"""What the stub server answers about identity providers and devices."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from tests.client.stub_state import API_KEY, NOW, StubState

from towline.contract.device import DeviceAnswer, DeviceCode
from towline.contract.identities import IdentityProvider, IdentityProviderCheck, IdentityProviderList

Path = Mapping[str, str]
Answer = Callable[[StubState, Path, Any, Any], BaseModel | None]
_CALLBACK: Final = "http://towline.localhost/sign-in/with/{}/callback"


def _start(state: StubState, path: Path, query: Any, body: Any) -> DeviceCode:
    url = "http://towline.localhost/device"
    return DeviceCode(
        device_code="d" * 43,
        user_code="WDJB-MJHT",
        verification_uri=url,
        verification_uri_complete=f"{url}?code=WDJB-MJHT",
        expires_in=600,
        interval=0,
    )


def _ask(state: StubState, path: Path, query: Any, body: Any) -> DeviceAnswer:
    status = state.device_answers.pop(0)
    key = {"key": API_KEY, "key_id": "key_own"} if status == "approved" else {}
    return DeviceAnswer.model_validate({"status": status, "interval": 0, **key})


def _delete_key(state: StubState, path: Path, query: Any, body: Any) -> None:
    state.deleted_keys.append(path["key"])


def _create(state: StubState, path: Path, query: Any, body: Any) -> IdentityProvider:
    values = body.model_dump(exclude={"client_secret"})
    row = IdentityProvider(id="idp_1", redirect_uri=_CALLBACK.format(body.name), created_at=NOW, **values)
    state.providers[row.name] = row
    return row


def _update(state: StubState, path: Path, query: Any, body: Any) -> IdentityProvider:
    changes = body.model_dump(exclude={"client_secret"}, exclude_unset=True)
    state.providers[path["provider"]] = state.providers[path["provider"]].model_copy(update=changes)
    return state.providers[path["provider"]]


def _check(state: StubState, path: Path, query: Any, body: Any) -> IdentityProviderCheck:
    row = state.providers[path["provider"]]
    problem = "" if row.is_enabled else "Company does not answer."
    hint = "Check the issuer's address." if problem else ""
    return IdentityProviderCheck(is_working=not problem, problem=problem, hint=hint, redirect_uri=row.redirect_uri)


IDENTITY_ANSWERS: Final[dict[str, Answer]] = {
    "device.start": _start,
    "device.token": _ask,
    "keys.delete": _delete_key,
    "identityProviders.list": lambda state, _p, _q, _b: IdentityProviderList(items=list(state.providers.values())),
    "identityProviders.create": _create,
    "identityProviders.update": _update,
    "identityProviders.test": _check,
    "identityProviders.delete": lambda state, path, _q, _b: (state.providers.pop(path["provider"]), None)[1],
}
