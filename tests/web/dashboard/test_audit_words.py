"""What the audit log says in words."""

import re
from typing import Any

import pytest

from towline.contract.routes.table import OPERATIONS
from towline.web.dashboard.audit_words import deed, doer, manner

_NAMES = {"svc_1": "web", "usr_1": "kim@example.com", "prj_1": "shop"}


def _entry(action: str, *, object_id: str = "", is_refused: bool = False, **detail: Any) -> dict[str, Any]:
    outcome = "refused" if is_refused else "allowed"
    given = {"action": action, "object_id": object_id, "outcome": outcome, "detail": detail}
    return {**given, "actor_id": "usr_1", "via": "session", "address": "203.0.113.9"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (_entry("services.deploy", service="svc_1", environment="staging"), "deployed web in staging"),
        (_entry("services.create", object_id="svc_9", name="api"), "created the service api"),
        (_entry("services.update", object_id="svc_1", fields=["port"]), "changed the service web"),
        (_entry("services.delete"), "deleted a service"),
        (_entry("services.stop", object_id="svc_1", environment="production"), "stopped web in production"),
        (_entry("services.deploy"), "deployed a service"),
        (_entry("deployments.rollback", service="svc_1", release=3), "rolled back web to release 3"),
        (_entry("deployments.rollback", is_refused=True), "tried to roll back a service"),
        (_entry("members.add", object_id="usr_1", role="viewer"), "added kim@example.com as viewer"),
        (_entry("variables.set", names=["A", "B"]), "set the variables A, B"),
        (_entry("projects.deploy", services=["web", "api"]), "deployed web, api together"),
        (_entry("environments.update", name="staging"), "changed the environment staging"),
        (_entry("projects.delete", object_id="prj_1", is_refused=True), "tried to delete the project shop"),
        (_entry("invitations.create", email="lee@example.com", role=None), "invited lee@example.com"),
        (_entry("hooks.create", repository="x" * 200), "connected the repository " + "x" * 80 + "…"),
        (_entry("services.create", name="{0.__class__}"), "created the service {0.__class__}"),
        (_entry("boats.tieUp", name="Ann"), "looked at the boats Ann"),
    ],
)
def test_an_entry_says_what_was_done(entry: dict[str, Any], said: str) -> None:
    assert deed(entry, _NAMES) == said


def test_who_it_was_and_how_is_said_without_ids() -> None:
    people = {"usr_1": "kim@example.com"}
    entry = _entry("services.deploy")
    assert doer(entry, people) == "kim@example.com"
    assert manner(entry) == "from 203.0.113.9"
    assert manner({**entry, "via": "key"}) == "by an API key from 203.0.113.9"
    assert doer({**entry, "actor_id": ""}, people) == "Somebody not signed in"
    assert doer({**entry, "actor_id": "usr_2"}, people) == "Somebody who is no member"
    assert doer({**entry, "actor_id": "", "via": "system"}, people) == "Towline"
    assert (
        doer({**entry, "actor_id": "", "via": "server", "detail": {"account": "root"}}, people) == "root on the server"
    )


def test_every_operation_is_said_in_words() -> None:
    for operation in OPERATIONS:
        said = deed(_entry(operation.id, is_refused=True), {})
        assert said.startswith("tried to "), operation.id
        assert re.search("[][{}|.]", said) is None, said
        assert re.search("[a-z][A-Z]", said) is None, said
