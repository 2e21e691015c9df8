"""Who may do what: every operation tried as everyone; the expected answers are written here by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from starlette.routing import Route, WebSocketRoute
from tests.web.crowd import PEOPLE, Crowd, gather
from tests.web.door import Door, Person

from towline.models.base import utc_now
from towline.web.app import create_app
from towline.web.operations import OperationRoute

OK: Final = 0
"""Any answer but 401, 403 and 404: the caller was let in, whatever came of it."""

#                nobody stranger viewer developer admin owner foreign root elsewhere narrow expired revoked
EVERYONE: Final = (401, OK, OK, OK, OK, OK, OK, OK, OK, OK, 401, 401)
UNLIMITED: Final = (401, OK, OK, OK, OK, OK, OK, OK, 403, 403, 401, 401)
NOTHING_THERE: Final = (401, 404, 404, 404, 404, 404, 404, 404, 403, 403, 401, 401)
CREATES: Final = (401, OK, OK, OK, OK, OK, OK, OK, 403, 403, 401, 401)
VIEWS: Final = (401, 404, OK, OK, OK, OK, 404, OK, 404, 403, 401, 401)
DEPLOYS: Final = (401, 404, 403, OK, OK, OK, 404, OK, 404, 403, 401, 401)
MANAGES: Final = (401, 404, 403, 403, OK, OK, 404, OK, 404, 403, 401, 401)
LEAVES: Final = (401, 404, OK, OK, OK, OK, 404, 404, 404, 403, 401, 401)
OPEN: Final = (OK,) * 12
ADMINISTERS: Final = (401, 403, 403, 403, 403, 403, 403, OK, 403, 403, 401, 401)
SESSIONS_ONLY: Final = (401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401, 401)
OWNS: Final = (401, 404, 403, 403, 403, OK, 404, OK, 404, 403, 401, 401)


@dataclass(frozen=True)
class Try:
    """One operation, how it is called, and what each of PEOPLE gets."""

    expected: tuple[int, ...]
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


_P: Final = "/projects/{project}"
_S: Final = "/projects/{project}/services/{service}"
_D: Final = "/deployments/{deployment}"
_UPLOAD: Final = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
_NAMED: Final = {"project": "{project}", "service": "{service}"}

TRIES: Final[dict[str, Try]] = {
    "projects.list": Try(EVERYONE, "GET", "/projects"),
    "projects.create": Try(CREATES, "POST", "/projects", {"name": "new-{number}"}),
    "projects.get": Try(VIEWS, "GET", _P),
    "projects.update": Try(OWNS, "PATCH", _P, {"description": "x"}),
    "projects.delete": Try(OWNS, "DELETE", _P),
    "members.list": Try(VIEWS, "GET", f"{_P}/members"),
    "members.add": Try(MANAGES, "POST", f"{_P}/members", {"user": "{owner}", "role": "viewer"}),
    "members.update": Try(MANAGES, "PATCH", f"{_P}/members/{{member}}", {"role": "viewer"}),
    "members.remove": Try(MANAGES, "DELETE", f"{_P}/members/{{member}}"),
    "members.leave": Try(LEAVES, "DELETE", f"{_P}/membership"),
    "members.transfer": Try(OWNS, "POST", f"{_P}/transfer", {"user": "{owner}"}),
    "invitations.list": Try(MANAGES, "GET", "/invitations", query={"project": "{project}"}),
    "invitations.create": Try(
        MANAGES, "POST", "/invitations", {"project": "{project}", "email": "p{number}@example.com", "role": "viewer"}
    ),
    "invitations.resend": Try(MANAGES, "POST", "/invitations/{invitation}/resend"),
    "invitations.revoke": Try(MANAGES, "DELETE", "/invitations/{invitation}"),
    "invitations.lookup": Try(OPEN, "POST", "/invitations/lookup", {"token": "short"}),
    "invitations.accept": Try(OPEN, "POST", "/invitations/accept", {"token": "short", "name": "A", "password": "b"}),
    "invitations.join": Try(EVERYONE, "POST", "/invitations/join", {"token": "short"}),
    "users.list": Try(ADMINISTERS, "GET", "/users"),
    "users.create": Try(ADMINISTERS, "POST", "/users", {"email": "u{number}@example.com"}),
    "users.get": Try(ADMINISTERS, "GET", "/users/{member}"),
    "users.update": Try(ADMINISTERS, "PATCH", "/users/{member}", {"name": "x"}),
    "users.resetPassword": Try(ADMINISTERS, "POST", "/users/{member}/password-reset"),
    "passwordReset.ask": Try(OPEN, "POST", "/password-reset", {"email": "p{number}@example.com"}),
    "passwordReset.finish": Try(OPEN, "POST", "/password-reset/finish", {"token": "short", "password": "b"}),
    "mail.test": Try(ADMINISTERS, "POST", "/mail/test", {}),
    "identityProviders.listForSignIn": Try(OPEN, "GET", "/sign-in/providers"),
    "identityProviders.list": Try(ADMINISTERS, "GET", "/identity-providers"),
    "identityProviders.create": Try(
        ADMINISTERS,
        "POST",
        "/identity-providers",
        {"name": "new-{number}", "kind": "github", "client_id": "a", "client_secret": "b"},
    ),
    "identityProviders.get": Try(ADMINISTERS, "GET", "/identity-providers/{provider}"),
    "identityProviders.update": Try(ADMINISTERS, "PATCH", "/identity-providers/{provider}", {"title": "x"}),
    "identityProviders.delete": Try(ADMINISTERS, "DELETE", "/identity-providers/{provider}"),
    "identityProviders.test": Try(ADMINISTERS, "POST", "/identity-providers/{provider}/test"),
    "identities.list": Try(EVERYONE, "GET", "/account/identities"),
    "identities.delete": Try(SESSIONS_ONLY, "DELETE", "/account/identities/idn_0"),
    "secondFactors.list": Try(EVERYONE, "GET", "/account/second-factors"),
    "secondFactors.delete": Try(ADMINISTERS, "DELETE", "/users/{member}/second-factors"),
    "totp.begin": Try(SESSIONS_ONLY, "POST", "/account/totp"),
    "totp.confirm": Try(SESSIONS_ONLY, "POST", "/account/totp/confirm", {"code": "123456"}),
    "totp.delete": Try(SESSIONS_ONLY, "DELETE", "/account/totp"),
    "recoveryCodes.create": Try(SESSIONS_ONLY, "POST", "/account/recovery-codes"),
    "passkeys.begin": Try(SESSIONS_ONLY, "POST", "/account/passkeys/begin"),
    "passkeys.create": Try(SESSIONS_ONLY, "POST", "/account/passkeys", {"ticket": "x" * 40, "credential": {}}),
    "passkeys.list": Try(EVERYONE, "GET", "/account/passkeys"),
    "passkeys.update": Try(SESSIONS_ONLY, "PATCH", "/account/passkeys/psk_0", {"name": "x"}),
    "passkeys.delete": Try(SESSIONS_ONLY, "DELETE", "/account/passkeys/psk_0"),
    "signIn.passkeyBegin": Try(OPEN, "POST", "/sign-in/passkey/begin", {}),
    "signIn.passkey": Try(OPEN, "POST", "/sign-in/passkey", {"ticket": "short", "credential": {}}),
    "signIn.secondFactor": Try(OPEN, "POST", "/sign-in/second-factor", {"ticket": "short", "code": "123456"}),
    "device.start": Try(OPEN, "POST", "/device/code", {"client_name": "x"}),
    "device.token": Try(OPEN, "POST", "/device/token", {"device_code": ""}),
    "device.approve": Try(SESSIONS_ONLY, "POST", "/device/approve", {"user_code": "WDJB-MJHT"}),
    "device.deny": Try(SESSIONS_ONLY, "POST", "/device/deny", {"user_code": "WDJB-MJHT"}),
    "environments.list": Try(VIEWS, "GET", f"{_P}/environments"),
    "environments.create": Try(MANAGES, "POST", f"{_P}/environments", {"name": "new-{number}"}),
    "environments.delete": Try(MANAGES, "DELETE", f"{_P}/environments/staging"),
    "variables.list": Try(DEPLOYS, "GET", f"{_P}/variables"),
    "variables.set": Try(MANAGES, "PATCH", f"{_P}/variables", {"variables": [{"name": "A", "value": "1"}]}),
    "variables.delete": Try(MANAGES, "DELETE", f"{_P}/variables/KEPT"),
    "uploads.create": Try(DEPLOYS, "POST", f"{_P}/uploads", {"digest": "sha256:" + "1" * 64, "size": 10}),
    "uploads.append": Try(DEPLOYS, "PATCH", f"{_P}/uploads/{{digest}}", headers=_UPLOAD),
    "uploads.get": Try(DEPLOYS, "GET", f"{_P}/uploads/{{digest}}"),
    "services.listByProject": Try(VIEWS, "GET", f"{_P}/services"),
    "services.create": Try(MANAGES, "POST", f"{_P}/services", {"name": "new-{number}"}),
    "services.get": Try(VIEWS, "GET", _S),
    "services.update": Try(MANAGES, "PATCH", _S, {"port": 80}),
    "services.delete": Try(MANAGES, "DELETE", _S),
    "services.deploy": Try(DEPLOYS, "POST", f"{_S}/deploy", {"image": "app:1"}),
    "services.scale": Try(DEPLOYS, "POST", f"{_S}/scale", {"replicas": 1}),
    "services.restart": Try(DEPLOYS, "POST", f"{_S}/restart", {}),
    "services.stop": Try(DEPLOYS, "POST", f"{_S}/stop", {}),
    "services.start": Try(DEPLOYS, "POST", f"{_S}/start", {}),
    "services.getLogs": Try(VIEWS, "GET", f"{_S}/logs"),
    "services.getStatus": Try(VIEWS, "GET", f"{_S}/status"),
    "instances.list": Try(VIEWS, "GET", f"{_S}/instances"),
    "health.history": Try(VIEWS, "GET", f"{_S}/health"),
    "releases.list": Try(VIEWS, "GET", f"{_S}/releases"),
    "runs.list": Try(VIEWS, "GET", f"{_S}/runs"),
    "runs.get": Try(VIEWS, "GET", f"{_S}/runs/{{run}}"),
    "runs.getLogs": Try(VIEWS, "GET", f"{_S}/runs/{{run}}/logs"),
    "runs.cancel": Try(DEPLOYS, "POST", f"{_S}/runs/{{run}}/cancel"),
    "services.runNow": Try(DEPLOYS, "POST", f"{_S}/run", {}),
    "projects.deploy": Try(DEPLOYS, "POST", f"{_P}/deploy", {}),
    "groups.list": Try(VIEWS, "GET", f"{_P}/groups"),
    "groups.getStatus": Try(VIEWS, "GET", f"{_P}/groups/{{group}}"),
    "groups.cancel": Try(DEPLOYS, "POST", f"{_P}/groups/{{group}}/cancel"),
    "groups.rollback": Try(DEPLOYS, "POST", f"{_P}/groups/rollback", {"group": "{group}"}),
    "dependencies.list": Try(VIEWS, "GET", f"{_P}/dependencies"),
    "dependencies.set": Try(MANAGES, "PUT", f"{_S}/dependencies/{{needed}}", {"cascade": True}),
    "dependencies.delete": Try(MANAGES, "DELETE", f"{_S}/dependencies/{{needed}}"),
    "releases.promote": Try(
        DEPLOYS,
        "POST",
        f"{_S}/releases/1/promote",
        {"from_environment": "production", "to_environment": "staging"},
    ),
    "routes.list": Try(VIEWS, "GET", f"{_S}/routes"),
    "routes.create": Try(MANAGES, "POST", f"{_S}/routes", {"host": "new-{number}.example.com"}),
    "routes.delete": Try(MANAGES, "DELETE", f"{_S}/routes/{{route}}"),
    "deployments.trigger": Try(DEPLOYS, "POST", "/deployments", {**_NAMED, "image": "app:1"}),
    "deployments.list": Try(VIEWS, "GET", "/deployments", query={"project": "{project}"}),
    "deployments.rollback": Try(DEPLOYS, "POST", "/deployments/rollback", {**_NAMED, "release": 1}),
    "deployments.getStatus": Try(VIEWS, "GET", _D),
    "deployments.getLogs": Try(VIEWS, "GET", f"{_D}/logs"),
    "deployments.cancel": Try(DEPLOYS, "POST", f"{_D}/cancel"),
    "bundles.download": Try(DEPLOYS, "GET", f"{_D}/bundle"),
    "account.get": Try(EVERYONE, "GET", "/account"),
    "account.update": Try(UNLIMITED, "PATCH", "/account", {"name": "x"}),
    "account.confirmEmail": Try(NOTHING_THERE, "POST", "/account/email", {"token": "t" * 43}),
    "account.changePassword": Try(UNLIMITED, "POST", "/account/password", {"new_password": "short"}),
    "setup.complete": Try(OPEN, "POST", "/setup", {"token": "short"}),
    "sessions.create": Try(OPEN, "POST", "/sessions", {"email": "x"}),
    "sessions.list": Try(UNLIMITED, "GET", "/sessions"),
    "sessions.delete": Try(NOTHING_THERE, "DELETE", "/sessions/ses_0"),
    "sessions.deleteOthers": Try(UNLIMITED, "POST", "/sessions/end-others"),
    "sessions.end": Try(EVERYONE, "DELETE", "/session"),
    "sessions.confirm": Try(SESSIONS_ONLY, "POST", "/session/confirm", {"password": "x"}),
    "keys.list": Try(EVERYONE, "GET", "/keys"),
    "keys.create": Try(EVERYONE, "POST", "/keys", {"name": "x", "scopes": ["no_such_scope"]}),
    "keys.delete": Try(EVERYONE, "DELETE", "/keys/{key}"),
    "registries.list": Try(MANAGES, "GET", "/registries", query={"project": "{project}"}),
    "registries.create": Try(
        MANAGES,
        "POST",
        "/registries",
        {"project": "{project}", "host": "r{number}.example.com", "username": "a", "password": "b"},
    ),
    "registries.delete": Try(MANAGES, "DELETE", "/registries/{registry}"),
    "audit.list": Try(MANAGES, "GET", "/audit", query={"project": "{project}"}),
    "audit.export": Try(MANAGES, "GET", "/audit/export", query={"project": "{project}"}),
    "audit.head": Try(ADMINISTERS, "GET", "/audit/head"),
    "audit.verify": Try(ADMINISTERS, "GET", "/audit/verify"),
    "webhookSecrets.list": Try(MANAGES, "GET", f"{_S}/webhook-secrets"),
    "webhookSecrets.rotate": Try(MANAGES, "POST", f"{_S}/webhook-secrets", {}),
    "webhookSecrets.delete": Try(MANAGES, "DELETE", f"{_S}/webhook-secrets/{{secret}}"),
    "secrets.getStatus": Try(ADMINISTERS, "GET", "/secrets"),
    "secrets.rotate": Try(ADMINISTERS, "POST", "/secrets/rotate"),
    "platform.get": Try(EVERYONE, "GET", "/platform"),
}
ELSEWHERE: Final = {"events": "tests/web/test_live.py"}
OPEN_PATHS: Final = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/openapi.json",
    "/",
    "/_towline/pages/{status}",
    "/setup/{token}",
    "/account/email/{token}",
    "/sign-in",
    "/sign-in/second-factor",
    "/sign-out",
    "/sign-in/with/{name}",
    "/sign-in/with/{name}/callback",
    "/sign-in/with/{name}/link",
    "/account/identities",
    "/device",
    "/account/security",
    "/_towline/account.js",
    "/invitation/{token}",
    "/password-reset",
    "/password-reset/{token}",
}
"""Routes outside the API, which tell nothing of projects; anything new has to be put here on purpose."""


async def test_everyone_gets_exactly_what_is_written_here(door: Door) -> None:
    crowd = await gather(door)
    wrong: dict[str, str] = {}
    for operation_id, attempt in TRIES.items():
        is_spent = attempt.method == "DELETE"
        for name, expected in zip(PEOPLE, attempt.expected, strict=True):
            if is_spent:
                await crowd.renew()
            status = await _try(crowd, attempt, crowd.people[name])
            is_spent = attempt.method == "DELETE" and status < 300
            is_right = status not in {401, 403, 404} if expected == OK else status == expected
            if not is_right or status >= 500:
                wrong[f"{operation_id} as {name}"] = f"{status} instead of {expected or 'ok'}"
    assert wrong == {}


def test_no_route_is_unknown_here() -> None:
    app = create_app(None)  # pyright: ignore[reportArgumentType] - nothing is served
    mounted = {route.operation.id for route in app.routes if isinstance(route, OperationRoute)}
    sockets = {route.name for route in app.routes if isinstance(route, WebSocketRoute)}
    others = [route for route in app.routes if not isinstance(route, OperationRoute | WebSocketRoute)]
    assert mounted == TRIES.keys()
    assert sockets == ELSEWHERE.keys()
    assert {route.path if isinstance(route, Route) else repr(route) for route in others} == OPEN_PATHS


async def test_instance_wide_lists_are_for_administrators(door: Door) -> None:
    crowd = await gather(door)
    for path in ("/audit", "/audit/export", "/invitations"):
        seen = {name: (await person.call("GET", path)).status_code for name, person in crowd.people.items()}
        expected = (401, 403, 403, 403, 403, 403, 403, 200, 403, 403, 401, 401)
        assert seen == dict(zip(PEOPLE, expected, strict=True))
    body = {"host": "all.example.com", "username": "a", "password": "b"}
    seen = {name: (await who.call("POST", "/registries", json=body)).status_code for name, who in crowd.people.items()}
    expected = (401, 403, 403, 403, 403, 403, 403, 201, 403, 403, 401, 401)
    assert seen == dict(zip(PEOPLE, expected, strict=True))


async def test_what_one_may_not_see_looks_like_what_does_not_exist(door: Door) -> None:
    crowd = await gather(door)
    stranger = crowd.people["stranger"]
    names = {"project": crowd.values["project"], "service": crowd.values["service"]}
    hidden = await stranger.call("GET", _S.format(**names))
    missing = await stranger.call("GET", _S.format(project="prj_" + "0" * 26, service=names["service"]))
    assert hidden.status_code == missing.status_code == 404
    same = [answer.text.replace(names["project"], "ID") for answer in (hidden, missing)]
    assert same[0] == same[1].replace("prj_" + "0" * 26, "ID")


async def test_an_expired_key_works_until_it_expires(door: Door) -> None:
    ann = await door.add_person()
    soon = await door.add_key(ann.user_id, expires_at=utc_now() + timedelta(minutes=1))
    assert (await soon.call("GET", "/account")).status_code == 200


async def _try(crowd: Crowd, attempt: Try, person: Person) -> int:
    values = crowd.values_for(person)
    body = None if attempt.body is None else _filled(attempt.body, values)
    answer = await person.call(
        attempt.method,
        attempt.path.format(**values),
        json=body,
        params=_filled(attempt.query, values),
        headers=dict(attempt.headers),
    )
    return answer.status_code


def _filled(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    return {name: text.format(**values) if isinstance(text, str) else text for name, text in template.items()}
