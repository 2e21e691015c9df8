"""Every operation of the API, how it is tried, and what everyone gets; written by hand, one line for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.web.answers import (
    ADMINISTERS,
    CREATES,
    DEPLOYS,
    EVERYONE,
    GRANTS,
    HANDS_OVER,
    INVITES,
    LEAVES,
    LETS_IN,
    MANAGES,
    NO_SUCH_OF_MINE,
    NOTHING_THERE,
    OK,
    OPEN,
    OWNS,
    PREVIEWS,
    READS_LOGS,
    RESTORES,
    SESSIONS_ONLY,
    UNLIMITED,
    VIEWS,
    Answers,
)


@dataclass(frozen=True)
class Try:
    """One operation, how it is called, and what everyone gets."""

    answers: Answers
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


_P: Final = "/projects/{project}"
_S: Final = "/projects/{project}/services/{service}"
_D: Final = "/deployments/{deployment}"
_UPLOAD: Final = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
_FILE: Final = {"project": "{name}", "services": {"api": {"image": "app:1"}}}
_CHANNEL: Final = {"name": "c{number}", "kind": "email", "address": "kim@example.com"}
_MOVE: Final = {"from_environment": "production", "to_environment": "staging"}
_PROVIDER: Final = {"name": "new-{number}", "kind": "github", "client_id": "a", "client_secret": "b"}
_LOGIN: Final = {"host": "r{number}.example.com", "username": "a", "password": "b"}
_NAMED: Final = {"project": "{project}", "service": "{service}"}

TRIES: Final[dict[str, Try]] = {
    "projects.list": Try(EVERYONE, "GET", "/projects"),
    "projects.listSummaries": Try(replace(VIEWS, stranger=OK, foreign=OK, elsewhere=OK), "GET", "/project-summaries"),
    "projects.create": Try(CREATES, "POST", "/projects", {"name": "new-{number}"}),
    "projects.createExample": Try(CREATES, "POST", "/example"),
    "projects.get": Try(VIEWS, "GET", _P),
    "projects.update": Try(OWNS, "PATCH", _P, {"description": "x"}),
    "projects.delete": Try(OWNS, "DELETE", _P),
    "members.list": Try(VIEWS, "GET", f"{_P}/members"),
    "members.add": Try(GRANTS, "POST", f"{_P}/members", {"user": "{owner}", "role": "viewer"}),
    "members.update": Try(GRANTS, "PATCH", f"{_P}/members/{{member}}", {"role": "viewer"}),
    "members.remove": Try(GRANTS, "DELETE", f"{_P}/members/{{member}}"),
    "members.leave": Try(LEAVES, "DELETE", f"{_P}/membership"),
    "members.transfer": Try(HANDS_OVER, "POST", f"{_P}/transfer", {"user": "{owner}"}),
    "invitations.list": Try(INVITES, "GET", "/invitations", query={"project": "{project}"}),
    "invitations.create": Try(
        GRANTS, "POST", "/invitations", {"project": "{project}", "email": "p{number}@example.com", "role": "viewer"}
    ),
    "invitations.resend": Try(GRANTS, "POST", "/invitations/{invitation}/resend"),
    "invitations.revoke": Try(GRANTS, "DELETE", "/invitations/{invitation}"),
    "invitations.lookup": Try(OPEN, "POST", "/invitations/lookup", {"token": "short"}),
    "invitations.accept": Try(OPEN, "POST", "/invitations/accept", {"token": "short", "name": "A", "password": "b"}),
    "invitations.join": Try(EVERYONE, "POST", "/invitations/join", {"token": "short"}),
    "users.list": Try(ADMINISTERS, "GET", "/users"),
    "users.create": Try(ADMINISTERS, "POST", "/users", {"email": "u{number}@example.com"}),
    "users.get": Try(ADMINISTERS, "GET", "/users/{member}"),
    "users.update": Try(ADMINISTERS, "PATCH", "/users/{member}", {"name": "x"}),
    "users.resetPassword": Try(LETS_IN, "POST", "/users/{member}/password-reset"),
    "passwordReset.ask": Try(OPEN, "POST", "/password-reset", {"email": "p{number}@example.com"}),
    "passwordReset.finish": Try(OPEN, "POST", "/password-reset/finish", {"token": "short", "password": "b"}),
    "mail.test": Try(ADMINISTERS, "POST", "/mail/test", {}),
    "identityProviders.listForSignIn": Try(OPEN, "GET", "/sign-in/providers"),
    "identityProviders.list": Try(ADMINISTERS, "GET", "/identity-providers"),
    "identityProviders.create": Try(LETS_IN, "POST", "/identity-providers", _PROVIDER),
    "identityProviders.get": Try(ADMINISTERS, "GET", "/identity-providers/{provider}"),
    "identityProviders.update": Try(LETS_IN, "PATCH", "/identity-providers/{provider}", {"title": "x"}),
    "identityProviders.delete": Try(ADMINISTERS, "DELETE", "/identity-providers/{provider}"),
    "identityProviders.test": Try(ADMINISTERS, "POST", "/identity-providers/{provider}/test"),
    "identities.list": Try(EVERYONE, "GET", "/account/identities"),
    "identities.delete": Try(NO_SUCH_OF_MINE, "DELETE", "/account/identities/idn_0"),
    "secondFactors.list": Try(EVERYONE, "GET", "/account/second-factors"),
    "secondFactors.delete": Try(LETS_IN, "DELETE", "/users/{member}/second-factors"),
    "totp.begin": Try(SESSIONS_ONLY, "POST", "/account/totp"),
    "totp.confirm": Try(NO_SUCH_OF_MINE, "POST", "/account/totp/confirm", {"code": "123456"}),
    "totp.delete": Try(NO_SUCH_OF_MINE, "DELETE", "/account/totp"),
    "recoveryCodes.create": Try(SESSIONS_ONLY, "POST", "/account/recovery-codes"),
    "passkeys.begin": Try(SESSIONS_ONLY, "POST", "/account/passkeys/begin"),
    "passkeys.create": Try(NO_SUCH_OF_MINE, "POST", "/account/passkeys", {"ticket": "x" * 40, "credential": {}}),
    "passkeys.list": Try(EVERYONE, "GET", "/account/passkeys"),
    "passkeys.update": Try(NO_SUCH_OF_MINE, "PATCH", "/account/passkeys/psk_0", {"name": "x"}),
    "passkeys.delete": Try(NO_SUCH_OF_MINE, "DELETE", "/account/passkeys/psk_0"),
    "signIn.passkeyBegin": Try(OPEN, "POST", "/sign-in/passkey/begin", {}),
    "signIn.passkey": Try(OPEN, "POST", "/sign-in/passkey", {"ticket": "short", "credential": {}}),
    "signIn.secondFactor": Try(OPEN, "POST", "/sign-in/second-factor", {"ticket": "short", "code": "123456"}),
    "device.start": Try(OPEN, "POST", "/device/code", {"client_name": "x"}),
    "device.token": Try(OPEN, "POST", "/device/token", {"device_code": ""}),
    "device.approve": Try(NO_SUCH_OF_MINE, "POST", "/device/approve", {"user_code": "WDJB-MJHT"}),
    "device.deny": Try(NO_SUCH_OF_MINE, "POST", "/device/deny", {"user_code": "WDJB-MJHT"}),
    "environments.list": Try(VIEWS, "GET", f"{_P}/environments"),
    "environments.create": Try(MANAGES, "POST", f"{_P}/environments", {"name": "new-{number}"}),
    "environments.update": Try(MANAGES, "PATCH", f"{_P}/environments/production", {"sleeps_after": 600}),
    "environments.wake": Try(DEPLOYS, "POST", f"{_P}/environments/production/wake"),
    "environments.createShareLink": Try(PREVIEWS, "POST", f"{_P}/environments/production/share-link"),
    "environments.deleteShareLink": Try(PREVIEWS, "DELETE", f"{_P}/environments/production/share-link"),
    "environments.delete": Try(MANAGES, "DELETE", f"{_P}/environments/staging"),
    "variables.list": Try(DEPLOYS, "GET", f"{_P}/variables"),
    "variables.set": Try(MANAGES, "PATCH", f"{_P}/variables", {"variables": [{"name": "A", "value": "1"}]}),
    "variables.delete": Try(MANAGES, "DELETE", f"{_P}/variables/KEPT"),
    "variables.effective": Try(DEPLOYS, "GET", f"{_P}/variables/effective", query={"service": "{service}"}),
    "variables.stale": Try(DEPLOYS, "GET", f"{_P}/variables/stale"),
    "variables.compare": Try(
        DEPLOYS, "GET", f"{_P}/variables/differences", query={"service": "{service}", "to_environment": "staging"}
    ),
    "variables.history": Try(DEPLOYS, "GET", f"{_P}/variables/history"),
    "variables.undo": Try(MANAGES, "POST", f"{_P}/variables/history/{{change}}/undo"),
    "variables.reveal": Try(OWNS, "POST", f"{_P}/variables/KEPT/reveal", {}),
    "globalVariables.list": Try(ADMINISTERS, "GET", "/variables"),
    "globalVariables.set": Try(ADMINISTERS, "PATCH", "/variables", {"variables": [{"name": "A", "value": "1"}]}),
    "globalVariables.delete": Try(ADMINISTERS, "DELETE", "/variables/KEPT"),
    "globalVariables.history": Try(ADMINISTERS, "GET", "/variables/history"),
    "globalVariables.undo": Try(ADMINISTERS, "POST", "/variables/history/{global_change}/undo"),
    "projectFiles.plan": Try(MANAGES, "POST", "/project-files/plan", {"file": _FILE}),
    "projectFiles.apply": Try(MANAGES, "POST", "/project-files/apply", {"file": _FILE, "fingerprint": "x"}),
    "projectFiles.export": Try(MANAGES, "GET", f"{_P}/file"),
    "connections.list": Try(MANAGES, "GET", "/connections", query={"project": "{project}"}),
    "connections.create": Try(
        MANAGES,
        "POST",
        "/connections",
        {"project": "{project}", "platform": "github", "host": "h{number}.example.com", "secret": "a"},
    ),
    "connections.delete": Try(MANAGES, "DELETE", "/connections/{connection}"),
    "connections.listRepositories": Try(
        MANAGES, "GET", f"{_P}/connections/{{connection}}/repositories", query={"cursor": "x"}
    ),
    "connections.listBranches": Try(
        MANAGES, "GET", f"{_P}/connections/{{connection}}/branches", query={"repository": "a/b", "cursor": "x"}
    ),
    "hooks.list": Try(DEPLOYS, "GET", f"{_P}/hooks"),
    "hooks.create": Try(
        RESTORES, "POST", f"{_P}/hooks", {"source": "github", "repository": "https://github.com/a/r{number}"}
    ),
    "hooks.update": Try(RESTORES, "PATCH", f"{_P}/hooks/{{hook}}", {"rules": []}),
    "hooks.rotate": Try(RESTORES, "POST", f"{_P}/hooks/{{hook}}/rotate"),
    "hooks.delete": Try(MANAGES, "DELETE", f"{_P}/hooks/{{hook}}"),
    "hooks.listDeliveries": Try(DEPLOYS, "GET", f"{_P}/hooks/{{hook}}/deliveries"),
    "hooks.replay": Try(DEPLOYS, "POST", f"{_P}/hooks/{{hook}}/deliveries/{{delivery}}/replay"),
    "previews.list": Try(VIEWS, "GET", f"{_P}/previews"),
    "previews.create": Try(PREVIEWS, "POST", f"{_P}/previews", {"name": "new-{number}"}),
    "previews.get": Try(VIEWS, "GET", f"{_P}/previews/{{preview}}"),
    "previews.update": Try(PREVIEWS, "PATCH", f"{_P}/previews/{{preview}}", {"title": "x"}),
    "previews.delete": Try(PREVIEWS, "DELETE", f"{_P}/previews/{{preview}}"),
    "previews.extend": Try(PREVIEWS, "POST", f"{_P}/previews/{{preview}}/extend"),
    "previews.approve": Try(PREVIEWS, "POST", f"{_P}/previews/{{preview}}/approve", {"revision": "0" * 40}),
    "previews.wake": Try(PREVIEWS, "POST", f"{_P}/previews/{{preview}}/wake"),
    "previews.getRules": Try(VIEWS, "GET", f"{_P}/preview-rules"),
    "previews.updateRules": Try(MANAGES, "PUT", f"{_P}/preview-rules", {"cap": 3}),
    "templates.list": Try(EVERYONE, "GET", "/templates"),
    "templates.get": Try(EVERYONE, "GET", "/templates/redis"),
    "backups.list": Try(VIEWS, "GET", f"{_P}/backups"),
    "backups.create": Try(RESTORES, "POST", f"{_S}/backups", {}),
    "backups.get": Try(VIEWS, "GET", f"{_P}/backups/{{backup}}"),
    "backups.download": Try(MANAGES, "GET", f"{_P}/backups/{{backup}}/content"),
    "backups.delete": Try(MANAGES, "DELETE", f"{_P}/backups/{{backup}}"),
    "backups.restore": Try(RESTORES, "POST", f"{_P}/backups/{{backup}}/restore", {}),
    "backups.test": Try(RESTORES, "POST", f"{_P}/backups/{{backup}}/test", {}),
    "restores.get": Try(VIEWS, "GET", f"{_P}/restores/{{restore}}"),
    "volumes.list": Try(VIEWS, "GET", f"{_P}/volumes"),
    "volumes.snapshot": Try(MANAGES, "POST", f"{_S}/volumes/data/snapshot", {}),
    "volumes.restore": Try(RESTORES, "POST", f"{_S}/volumes/data/restore", {"backup": "{backup}"}),
    "volumes.copy": Try(RESTORES, "POST", f"{_S}/volumes/data/copy", {"to_environment": "staging"}),
    "uploads.create": Try(DEPLOYS, "POST", f"{_P}/uploads", {"digest": "sha256:" + "1" * 64, "size": 10}),
    "uploads.append": Try(DEPLOYS, "PATCH", f"{_P}/uploads/{{digest}}", headers=_UPLOAD),
    "uploads.get": Try(DEPLOYS, "GET", f"{_P}/uploads/{{digest}}"),
    "services.listByProject": Try(VIEWS, "GET", f"{_P}/services"),
    "services.search": Try(
        replace(VIEWS, stranger=OK, foreign=OK, elsewhere=OK), "GET", "/services", query={"text": "web"}
    ),
    "services.create": Try(MANAGES, "POST", f"{_P}/services", {"name": "new-{number}"}),
    "services.get": Try(VIEWS, "GET", _S),
    "services.update": Try(MANAGES, "PATCH", _S, {"port": 80}),
    "services.delete": Try(MANAGES, "DELETE", _S),
    "services.deploy": Try(DEPLOYS, "POST", f"{_S}/deploy", {"image": "app:1"}),
    "services.scale": Try(DEPLOYS, "POST", f"{_S}/scale", {"replicas": 1}),
    "services.restart": Try(DEPLOYS, "POST", f"{_S}/restart", {}),
    "services.stop": Try(DEPLOYS, "POST", f"{_S}/stop", {}),
    "services.start": Try(DEPLOYS, "POST", f"{_S}/start", {}),
    "services.getLogs": Try(READS_LOGS, "GET", f"{_S}/logs"),
    "services.getStatus": Try(VIEWS, "GET", f"{_S}/status"),
    "instances.list": Try(VIEWS, "GET", f"{_S}/instances"),
    "services.listStatuses": Try(VIEWS, "GET", f"{_P}/statuses"),
    "health.uptime": Try(VIEWS, "GET", f"{_S}/uptime"),
    "metrics.history": Try(VIEWS, "GET", f"{_S}/metrics"),
    "health.history": Try(VIEWS, "GET", f"{_S}/health"),
    "releases.list": Try(VIEWS, "GET", f"{_S}/releases"),
    "runs.list": Try(VIEWS, "GET", f"{_S}/runs"),
    "runs.get": Try(VIEWS, "GET", f"{_S}/runs/{{run}}"),
    "runs.getLogs": Try(READS_LOGS, "GET", f"{_S}/runs/{{run}}/logs"),
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
    "releases.promote": Try(DEPLOYS, "POST", f"{_S}/releases/1/promote", _MOVE),
    "routes.list": Try(VIEWS, "GET", f"{_S}/routes"),
    "routes.create": Try(MANAGES, "POST", f"{_S}/routes", {"host": "new-{number}.example.com"}),
    "routes.delete": Try(MANAGES, "DELETE", f"{_S}/routes/{{route}}"),
    "deployments.trigger": Try(DEPLOYS, "POST", "/deployments", {**_NAMED, "image": "app:1"}),
    "deployments.list": Try(VIEWS, "GET", "/deployments", query={"project": "{project}"}),
    "deployments.rollback": Try(DEPLOYS, "POST", "/deployments/rollback", {**_NAMED, "release": 1}),
    "deployments.getStatus": Try(VIEWS, "GET", _D),
    "deployments.getChanges": Try(VIEWS, "GET", f"{_D}/changes"),
    "deployments.getLogs": Try(READS_LOGS, "GET", f"{_D}/logs"),
    "deployments.cancel": Try(DEPLOYS, "POST", f"{_D}/cancel"),
    "bundles.download": Try(DEPLOYS, "GET", f"{_D}/bundle"),
    "account.get": Try(EVERYONE, "GET", "/account"),
    "account.update": Try(UNLIMITED, "PATCH", "/account", {"name": "x"}),
    "account.confirmEmail": Try(NOTHING_THERE, "POST", "/account/email", {"token": "t" * 43}),
    "account.changePassword": Try(UNLIMITED, "POST", "/account/password", {"new_password": "short"}),
    "setup.complete": Try(OPEN, "POST", "/setup", {"token": "short"}),
    "setup.createLink": Try(LETS_IN, "POST", "/setup/link"),
    "sessions.create": Try(OPEN, "POST", "/sessions", {"email": "x"}),
    "sessions.list": Try(UNLIMITED, "GET", "/sessions"),
    "sessions.delete": Try(NOTHING_THERE, "DELETE", "/sessions/ses_0"),
    "sessions.deleteOthers": Try(UNLIMITED, "POST", "/sessions/end-others"),
    "sessions.end": Try(EVERYONE, "DELETE", "/session"),
    "sessions.confirm": Try(SESSIONS_ONLY, "POST", "/session/confirm", {"password": "x"}),
    "keys.list": Try(EVERYONE, "GET", "/keys"),
    "keys.create": Try(EVERYONE, "POST", "/keys", {"name": "x", "scopes": ["no_such_scope"]}),
    "keys.delete": Try(EVERYONE, "DELETE", "/keys/{key}"),
    "notifications.listChannels": Try(MANAGES, "GET", "/notification-channels", query={"project": "{project}"}),
    "notifications.createChannel": Try(MANAGES, "POST", "/notification-channels", {"project": "{project}", **_CHANNEL}),
    "notifications.updateChannel": Try(MANAGES, "PATCH", "/notification-channels/{channel}", {"is_paused": True}),
    "notifications.deleteChannel": Try(MANAGES, "DELETE", "/notification-channels/{channel}"),
    "notifications.test": Try(MANAGES, "POST", "/notification-channels/{channel}/test"),
    "notifications.list": Try(MANAGES, "GET", "/notification-channels/{channel}/notifications"),
    "registries.list": Try(MANAGES, "GET", "/registries", query={"project": "{project}"}),
    "registries.create": Try(MANAGES, "POST", "/registries", {"project": "{project}", **_LOGIN}),
    "registries.delete": Try(MANAGES, "DELETE", "/registries/{registry}"),
    "audit.list": Try(INVITES, "GET", "/audit", query={"project": "{project}"}),
    "audit.export": Try(INVITES, "GET", "/audit/export", query={"project": "{project}"}),
    "audit.head": Try(ADMINISTERS, "GET", "/audit/head"),
    "audit.verify": Try(ADMINISTERS, "GET", "/audit/verify"),
    "webhookSecrets.list": Try(MANAGES, "GET", f"{_S}/webhook-secrets"),
    "webhookSecrets.rotate": Try(RESTORES, "POST", f"{_S}/webhook-secrets", {}),
    "webhookSecrets.delete": Try(MANAGES, "DELETE", f"{_S}/webhook-secrets/{{secret}}"),
    "secrets.getStatus": Try(ADMINISTERS, "GET", "/secrets"),
    "secrets.rotate": Try(ADMINISTERS, "POST", "/secrets/rotate"),
    "platform.update": Try(LETS_IN, "PATCH", "/platform", {"base_domain": "localhost"}),
    "platform.listFormerHosts": Try(ADMINISTERS, "GET", "/platform/former-hosts"),
    "platform.retireFormerHost": Try(replace(LETS_IN, root=404), "DELETE", "/platform/former-hosts/old.example.com"),
    "platform.checkDomain": Try(ADMINISTERS, "GET", "/platform/domain-check"),
    "platform.getHealth": Try(ADMINISTERS, "GET", "/platform/health"),
    "platform.get": Try(EVERYONE, "GET", "/platform"),
    "connections.create for everything": Try(
        ADMINISTERS, "POST", "/connections", {"platform": "github", "host": "h{number}.example.com", "secret": "a"}
    ),
    "audit.list of everything": Try(ADMINISTERS, "GET", "/audit"),
    "audit.export of everything": Try(ADMINISTERS, "GET", "/audit/export"),
    "invitations.list of everything": Try(ADMINISTERS, "GET", "/invitations"),
    "notifications.listChannels of the instance": Try(ADMINISTERS, "GET", "/notification-channels"),
    "notifications.createChannel of the instance": Try(ADMINISTERS, "POST", "/notification-channels", _CHANNEL),
    "registries.create for everything": Try(ADMINISTERS, "POST", "/registries", _LOGIN),
}

ROOMS: Final[dict[str, Answers]] = {
    "project:{project}": VIEWS,
    "deployment:{deployment}": VIEWS,
    "user:{owner}": Answers(401, 404, 404, 404, 404, OK, 404, 404, OK, 404, OK, "administer", 404),
}
"""Rooms of the WebSocket, and who may enter them."""


@dataclass(frozen=True)
class Visit:
    """The status of a page for everyone with a browser; who signed out or is disabled gets what nobody gets."""

    nobody: int
    stranger: int
    viewer: int
    developer: int
    admin: int
    owner: int
    foreign: int
    root: int

    def expected_of(self, name: str) -> int:
        """The status for one of the visitors."""
        return self.nobody if name.startswith("ended") else getattr(self, name)


#         nobody stranger viewer developer admin owner foreign root
_SHOWN: Final = Visit(200, 200, 200, 200, 200, 200, 200, 200)
_MINE: Final = Visit(303, 200, 200, 200, 200, 200, 200, 200)
_MY_FORM: Final = Visit(401, 422, 422, 422, 422, 422, 422, 422)
_ASKS: Final = Visit(422, 422, 422, 422, 422, 422, 422, 422)
_GOES_ON: Final = Visit(303, 303, 303, 303, 303, 303, 303, 303)
_NO_SUCH: Final = Visit(404, 404, 404, 404, 404, 404, 404, 404)
_NEEDS_KEY: Final = Visit(401, 401, 401, 401, 401, 401, 401, 401)
"""Doors that no cookie opens; tests/web/test_git_pushes.py tries them with keys."""
_SEES: Final = Visit(303, 404, 200, 200, 200, 200, 404, 200)

PAGES: Final[dict[str, Visit]] = {
    "GET /healthz": _SHOWN,
    "POST /hooks/{source}/{hook}": _NO_SUCH,
    "POST /hooks/service/{service}": Visit(401, 401, 401, 401, 401, 401, 401, 401),
    "GET /git/{project}/{service}.git/info/refs": _ASKS,
    "POST /git/{project}/{service}.git/git-upload-pack": _NEEDS_KEY,
    "POST /git/{project}/{service}.git/git-receive-pack": _NEEDS_KEY,
    "POST /git/{project}/{service}.git/info/lfs/objects/batch": _NEEDS_KEY,
    "GET /readyz": _SHOWN,
    "GET /metrics": Visit(401, 403, 403, 403, 403, 403, 403, 200),
    "GET /api/v1/openapi.json": _SHOWN,
    "GET /": _SHOWN,
    "GET /_towline/pages/{status}": Visit(503, 503, 503, 503, 503, 503, 503, 503),
    "GET /_towline/waking/{key}/{path:path}": _NO_SUCH,
    "POST /_towline/waking/{key}/{path:path}": _NO_SUCH,
    "PUT /_towline/waking/{key}/{path:path}": _NO_SUCH,
    "PATCH /_towline/waking/{key}/{path:path}": _NO_SUCH,
    "DELETE /_towline/waking/{key}/{path:path}": _NO_SUCH,
    "OPTIONS /_towline/waking/{key}/{path:path}": _NO_SUCH,
    "GET /_towline/gates/{environment}": _NO_SUCH,
    "GET /gates/{environment}": Visit(303, 404, 404, 404, 404, 404, 404, 404),
    "GET /_towline/assets/{name}": _NO_SUCH,
    "GET /setup/{token}": _NO_SUCH,
    "POST /setup/{token}": _ASKS,
    "GET /sign-in": _SHOWN,
    "POST /sign-in": _ASKS,
    "POST /sign-in/second-factor": _ASKS,
    "POST /sign-out": _GOES_ON,
    "GET /sign-in/with/{name}": _GOES_ON,
    "GET /sign-in/with/{name}/callback": Visit(403, 403, 403, 403, 403, 403, 403, 403),
    "POST /sign-in/with/{name}/link": Visit(401, 404, 404, 404, 404, 404, 404, 404),
    "GET /account/email/{token}": _MINE,
    "POST /account/email/{token}": Visit(303, 404, 404, 404, 404, 404, 404, 404),
    "GET /device": _MINE,
    "POST /device": _MY_FORM,
    "GET /invitation/{token}": _NO_SUCH,
    "POST /invitation/{token}": _ASKS,
    "GET /password-reset": _SHOWN,
    "POST /password-reset": _ASKS,
    "GET /password-reset/{token}": _NO_SUCH,
    "POST /password-reset/{token}": _ASKS,
}
"""Everything outside the API, tried with ids of the project in its path."""
