"""Who may see and do what by the dashboard: every address tried as everyone; the answers are written here by hand."""

from collections.abc import Mapping
from typing import Final

import pytest
from tests.web.browser import Browser
from tests.web.dashboard.visitors import make_scene
from tests.web.door import Door

from towline.web.dashboard.router import FORMS, PAGES

pytestmark = pytest.mark.timeout(300)
PEOPLE: Final = ("nobody", "stranger", "viewer", "developer", "admin", "owner", "root")
READERS: Final = ("nobody", "stranger", "viewer", "owner", "root")
#                nobody stranger viewer owner root
EVERYONE: Final = (303, 200, 200, 200, 200)
MEMBERS: Final = (303, 404, 200, 200, 200)
INVITERS: Final = (303, 404, 403, 200, 200)
DEPLOYERS: Final = (303, 404, 403, 200, 200)
MANAGERS: Final = (303, 404, 403, 200, 200)
ROOT: Final = (303, 404, 404, 404, 200)
ADMINISTERS: Final = (303, 403, 403, 403, 200)

#                nobody stranger viewer developer admin owner root
NOBODYS: Final = (303, 404, 404, 404, 404, 404, 404)
DEPLOYS: Final = (303, 404, 403, 0, 0, 0, 0)
MANAGES: Final = (303, 404, 403, 403, 0, 0, 0)
OWNS: Final = (303, 404, 403, 403, 403, 0, 0)
OWN: Final = (303, 0, 0, 0, 0, 0, 0)
"""0: any answer but 403, 404 and a redirect to the sign-in page; the visitor was let in."""

NO_VOLUME: Final = (303, 404, 403, 403, 404, 404, 404)
_ROOTS: Final = (303, 403, 403, 403, 403, 403, 0)
_ROOT_ONLY_404: Final = (303, 403, 403, 403, 403, 403, 404)
_TOLD: Final = {"name": "on call", "event.run.failed": "on", "environment.production": "on"}
_P: Final = "/projects/{project}"
_S: Final = "/projects/{project}/services/{service}"
_G: Final = "/projects/{project}/groups/{group}"
_D: Final = "/deployments/{deployment}"
EXPECTED_PAGES: Final[dict[str, tuple[int, ...]]] = {
    _P: MEMBERS,
    f"{_P}/settings": MEMBERS,
    f"{_P}/members": MEMBERS,
    f"{_P}/audit": INVITERS,
    _G: MEMBERS,
    _S: MEMBERS,
    **{
        f"{_S}/{tab}": MEMBERS
        for tab in ("deployments", "deploy", "log", "log/text", "variables", "domains", "settings")
    },
    **{f"{_S}/{tab}": MEMBERS for tab in ("deployments", "deploy", "log", "variables", "domains", "settings")},
    **{f"{_P}/{tab}": MEMBERS for tab in ("groups", "backups", "variables", "catalogue", "file")},
    f"{_P}/previews": MEMBERS,
    f"{_P}/previews/{{preview}}": MEMBERS,
    f"{_P}/hooks": DEPLOYERS,
    f"{_P}/hooks/{{hook}}": DEPLOYERS,
    f"{_P}/registries": MANAGERS,
    f"{_P}/connections": MANAGERS,
    f"{_P}/connections/{{connection}}": MANAGERS,
    f"{_P}/notifications": MANAGERS,
    f"{_P}/notifications/{{channel}}": MANAGERS,
    f"{_P}/backups/{{backup}}": MEMBERS,
    f"{_P}/restores/{{restore}}": MEMBERS,
    f"{_P}/catalogue/{{template}}": MEMBERS,
    **{f"{_S}/{tab}": MEMBERS for tab in ("variables/compare", "variables/file", "releases", "runs")},
    f"{_S}/webhook-secrets": MEMBERS,
    f"{_S}/runs/{{run}}": MEMBERS,
    _D: MEMBERS,
    f"{_D}/log/text": MEMBERS,
    **{f"/account/{tab}": EVERYONE for tab in ("security", "identities", "keys")},
    "/account/sessions": EVERYONE,
    "/instance": ROOT,
    "/instance/domain": ROOT,
    "/instance/audit": ADMINISTERS,
    **{f"/instance/{tab}": ROOT for tab in ("users", "providers", "variables", "registries", "mail", "secrets")},
    "/instance/connections": ROOT,
    "/instance/providers/{provider}": ROOT,
    "/instance/notifications": ADMINISTERS,
    "/instance/notifications/{instance_channel}": ADMINISTERS,
}
EXPECTED_FORMS: Final[dict[str, tuple[tuple[int, ...], Mapping[str, str]]]] = {
    "/new": (OWN, {"project": "none-of-these"}),
    "/example": ((303, 0, 409, 409, 409, 409, 0), {}),
    f"{_P}/new": (MANAGES, {"service": "Not A Name"}),
    f"{_P}/deploy": (DEPLOYS, {}),
    f"{_P}/settings": (OWNS, {"name": "{project}", "description": "x"}),
    f"{_P}/delete": ((303, 404, 422, 422, 422, 422, 422), {"confirm": "something else"}),
    f"{_P}/environments": (MANAGES, {"name": "Not A Name"}),
    f"{_P}/environments/{{environment}}/delete": ((303, 422, 422, 422, 422, 422, 422), {"confirm": "x"}),
    f"{_P}/members": (MANAGES, {"email": "kim@example.com", "role": "viewer"}),
    f"{_P}/members/change": ((303, 404, 403, 403, 404, 404, 404), {"user": "usr_0", "role": "viewer"}),
    f"{_P}/members/remove": ((303, 404, 403, 403, 404, 404, 404), {"user": "usr_0"}),
    f"{_P}/members/leave": ((303, 404, 0, 0, 0, 409, 404), {}),
    f"{_P}/invitations/resend": (NOBODYS, {"invitation": "inv_0"}),
    f"{_P}/invitations/revoke": (NOBODYS, {"invitation": "inv_0"}),
    f"{_G}/cancel": (DEPLOYS, {}),
    f"{_G}/rollback": ((303, 404, 403, 404, 404, 404, 404), {"environment": "production"}),
    f"{_P}/previews": (DEPLOYS, {"name": "Not A Name"}),
    f"{_P}/previews/rules": (MANAGES, {"cap": "3", "hours": "24"}),
    f"{_P}/previews/{{preview}}": (DEPLOYS, {"title": "A try", "hours": "24"}),
    f"{_P}/previews/{{preview}}/share": ((303, 404, 403, 409, 409, 409, 409), {}),
    f"{_P}/previews/{{preview}}/share/delete": (DEPLOYS, {}),
    f"{_P}/previews/{{preview}}/deploy": (DEPLOYS, {}),
    f"{_P}/previews/{{preview}}/extend": (DEPLOYS, {}),
    f"{_P}/previews/{{preview}}/wake": (DEPLOYS, {}),
    f"{_P}/previews/{{preview}}/approve": (DEPLOYS, {"revision": "0" * 40}),
    f"{_P}/previews/{{preview}}/delete": ((303, 404, 403, 0, 404, 404, 404), {}),
    f"{_P}/hooks": (MANAGES, {"source": "github", "repository": "no address"}),
    f"{_P}/hooks/{{hook}}/rules": (MANAGES, {"rules": "main production"}),
    f"{_P}/hooks/{{hook}}/rotate": (MANAGES, {}),
    f"{_P}/hooks/{{hook}}/replay": (DEPLOYS, {"delivery": "{delivery}"}),
    f"{_P}/hooks/{{hook}}/delete": ((303, 404, 403, 403, 0, 404, 404), {}),
    f"{_P}/variables": (MANAGES, {"name": "B", "value": "1"}),
    f"{_P}/variables/delete": ((303, 404, 403, 403, 0, 404, 404), {"name": "B"}),
    f"{_P}/variables/undo": ((303, 404, 403, 403, 404, 404, 404), {"change": "vch_0"}),
    f"{_P}/dump": (MANAGES, {"service": "{service}"}),
    f"{_P}/backups/{{backup}}/restore": (MANAGES, {}),
    f"{_P}/backups/{{backup}}/test": (MANAGES, {}),
    f"{_P}/backups/{{backup}}/delete": ((303, 404, 403, 403, 0, 404, 404), {}),
    f"{_P}/volumes/snapshot": (NO_VOLUME, {"service": "{service}", "volume": "none"}),
    f"{_P}/volumes/copy": (NO_VOLUME, {"service": "{service}", "volume": "none", "to_environment": "staging"}),
    f"{_P}/catalogue/{{template}}": (MANAGES, {"name": "db"}),
    f"{_P}/file": (MANAGES, {"file": "project: {project}"}),
    f"{_P}/file/apply": (MANAGES, {"file": "project: {project}", "fingerprint": "none"}),
    f"{_P}/connections": (MANAGES, {"platform": "github", "secret": "two words"}),
    f"{_P}/connections/delete": (NOBODYS, {"connection": "con_0"}),
    f"{_P}/registries": (MANAGES, {"host": "r.example.com", "username": "a", "password": "b"}),
    f"{_P}/registries/delete": (NOBODYS, {"registry": "reg_0"}),
    f"{_P}/notifications": (MANAGES, {**_TOLD, "name": "a", "kind": "slack", "address": "nowhere"}),
    f"{_P}/notifications/{{channel}}": (MANAGES, _TOLD),
    f"{_P}/notifications/{{channel}}/pause": (MANAGES, {"is_paused": "true"}),
    f"{_P}/notifications/{{channel}}/test": (MANAGES, {}),
    f"{_P}/notifications/{{channel}}/delete": ((303, 404, 403, 403, 0, 404, 404), {}),
    f"{_S}/variables/file": (MANAGES, {"lines": "C=1"}),
    f"{_S}/promote": ((303, 404, 403, 0, 0, 0, 0), {"release": "1", "to_environment": "production"}),
    f"{_S}/run": (DEPLOYS, {}),
    f"{_S}/runs/{{run}}/cancel": (DEPLOYS, {}),
    f"{_S}/webhook-secrets": (MANAGES, {"hours": "1"}),
    f"{_S}/webhook-secrets/delete": ((303, 404, 403, 403, 404, 404, 404), {"secret": "whs_0"}),
    f"{_S}/deploy": (DEPLOYS, {"image": "app:2"}),
    f"{_S}/act": (DEPLOYS, {"wanted": "restart"}),
    f"{_S}/scale": (DEPLOYS, {"replicas": "1"}),
    f"{_S}/rollback": (DEPLOYS, {"release": "1"}),
    f"{_S}/variables": (MANAGES, {"name": "A", "value": "1"}),
    f"{_S}/variables/delete": ((303, 404, 403, 403, 0, 404, 404), {"name": "A"}),
    f"{_S}/variables/undo": ((303, 404, 403, 403, 404, 404, 404), {"change": "vch_0"}),
    f"{_S}/domains": (MANAGES, {"host": "not a host"}),
    f"{_S}/domains/delete": ((303, 404, 403, 403, 404, 404, 404), {"route": "rou_0"}),
    f"{_S}/needs": ((303, 404, 403, 403, 404, 404, 404), {"dependency": "svc_0"}),
    f"{_S}/needs/delete": ((303, 404, 403, 403, 404, 404, 404), {"dependency": "svc_0"}),
    f"{_S}/settings": (MANAGES, {"name": "{service}", "port": "80"}),
    f"{_S}/delete": ((303, 404, 422, 422, 422, 422, 422), {"confirm": "something else"}),
    f"{_D}/cancel": ((303, 404, 403, 409, 409, 409, 409), {}),
    f"{_D}/retry": (DEPLOYS, {}),
    f"{_D}/rollback": (DEPLOYS, {}),
    f"{_D}/promote": (DEPLOYS, {"environment": "production"}),
    "/account/identities": (NOBODYS, {"unlink": "idn_0"}),
    "/account/keys": (OWN, {"name": "", "scope": "*"}),
    "/account/keys/revoke": (NOBODYS, {"key": "key_0"}),
    "/account/sessions/end": (NOBODYS, {"session": "ses_0"}),
    "/account/sessions/end-others": (OWN, {}),
    "/instance/domain": (_ROOTS, {"domain": "localhost"}),
    "/instance/domain/retire": (_ROOT_ONLY_404, {"host": "old.example.com"}),
    "/instance/invite": ((303, 403, 403, 403, 403, 403, 0), {"email": "kim@example.com"}),
    "/instance/users/password": (_ROOT_ONLY_404, {"user": "usr_0"}),
    "/instance/invitations/revoke": (NOBODYS, {"invitation": "inv_0"}),
    "/instance/providers": (_ROOTS, {"name": "Not A Name", "kind": "oidc"}),
    "/instance/providers/{provider}": (_ROOTS, {"title": "Company", "client_id": "id", "issuer": "not one"}),
    "/instance/providers/{provider}/test": (_ROOTS, {}),
    "/instance/providers/{provider}/delete": ((303, 422, 422, 422, 422, 422, 422), {"confirm": "something else"}),
    "/instance/variables": (_ROOTS, {"name": "D", "value": "1"}),
    "/instance/variables/delete": (_ROOTS, {"name": "D"}),
    "/instance/variables/undo": (_ROOT_ONLY_404, {"change": "vch_0"}),
    "/instance/connections": (_ROOTS, {"platform": "github", "secret": "two words"}),
    "/instance/connections/delete": (NOBODYS, {"connection": "con_0"}),
    "/instance/registries": (_ROOTS, {"host": "r.example.com", "username": "a", "password": "b"}),
    "/instance/registries/delete": (NOBODYS, {"registry": "reg_0"}),
    "/instance/notifications": (_ROOTS, {**_TOLD, "name": "a", "kind": "slack", "address": "nowhere"}),
    "/instance/notifications/{instance_channel}": (_ROOTS, _TOLD),
    "/instance/notifications/{instance_channel}/pause": (_ROOTS, {"is_paused": "true"}),
    "/instance/notifications/{instance_channel}/test": (_ROOTS, {}),
    "/instance/notifications/{instance_channel}/delete": (_ROOTS, {}),
    "/instance/mail/test": (_ROOTS, {"to": "not an address"}),
    "/instance/secrets/rotate": (_ROOTS, {}),
    "/instance/users/change": ((303, 403, 403, 403, 403, 403, 404), {"user": "usr_0", "field": "is_disabled"}),
}


async def test_everyone_sees_exactly_what_is_written_here(door: Door) -> None:
    scene = await make_scene(door)
    wrong: dict[str, str] = {}
    for path, answers in EXPECTED_PAGES.items():
        for name, expected in zip(READERS, answers, strict=True):
            answer = await scene.people[name].get(path.format(**scene.values))
            if answer.status_code != expected:
                wrong[f"{path} as {name}"] = f"{answer.status_code}, not {expected}"

    assert wrong == {}


async def test_everyone_does_exactly_what_is_written_here(door: Door) -> None:
    scene = await make_scene(door)
    wrong: dict[str, str] = {}
    forms = sorted(EXPECTED_FORMS.items(), key=lambda item: item[0].endswith("leave"))
    for path, (answers, fields) in forms:
        given = {name: value.format(**scene.values) for name, value in fields.items()}
        for name, expected in zip(PEOPLE, answers, strict=True):
            status = await _send(scene.people[name], path.format(**scene.values), given)
            wanted = 401 if expected == 303 else expected  # a script is told what a browser is sent on by
            is_right = status == wanted or (wanted == 0 and status not in {401, 403, 404})
            if not is_right or status >= 500:
                wrong[f"POST {path} as {name}"] = f"{status}, not {expected}"
    assert wrong == {}


async def test_no_address_is_missing_here() -> None:
    assert {_as_routed(path) for path in EXPECTED_PAGES} == PAGES.keys()
    assert {_as_routed(path) for path in EXPECTED_FORMS} == FORMS.keys()


async def test_no_form_is_obeyed_when_another_site_sent_it(door: Door) -> None:
    scene = await make_scene(door)
    owner = scene.people["owner"]
    for path, (_, fields) in EXPECTED_FORMS.items():
        given = {name: value.format(**scene.values) for name, value in fields.items()}
        answer = await owner.send(path.format(**scene.values), given, origin="http://shop.towline.test")
        assert answer.status_code == 403, path
        silent = await owner.http.post(path.format(**scene.values), data=given)
        assert silent.status_code == 403, path


async def _send(browser: Browser, path: str, fields: Mapping[str, str]) -> int:
    headers = {"Origin": browser.origin, "X-Towline-Form": "1"}
    answer = await browser.http.post(path, data={"sent": "yes", **fields}, headers=headers)
    is_away = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    return 401 if is_away and "towline_session" in browser.http.cookies else answer.status_code


def _as_routed(path: str) -> str:
    """An address with the names that the router has for its parts."""
    return path.replace("{instance_channel}", "{channel}")
