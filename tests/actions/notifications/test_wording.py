"""Which events people are told of, and in which words."""

from typing import Any

import pytest

from towline.actions.notifications.addresses import OTHERS, check_channel_address, shown_address
from towline.actions.notifications.wording import TOLD_TYPES, Happening, wording_of
from towline.errors import InvalidInput

_SLACK = "https://hooks.slack.com/services/T/B/x"
_PLACE = {"project": "shop", "service": "web", "service_id": "svc_1", "deployment_id": "dep_1", "environment_id": "e"}


def _of(type_: str, **data: Any) -> Happening:
    return Happening(type=type_, data=data, environment="production", environment_kind="production", **_PLACE)


@pytest.mark.parametrize(
    ("happening", "kind", "title", "text"),
    [
        (_of("service.health", status="unhealthy", error="No answer."), "health.down", "is down", "No answer."),
        (_of("service.health", status="unhealthy"), "health.down", "is down", "No check of it succeeds."),
        (_of("service.health", status="healthy"), "health.recovered", "is up again", ""),
        (_of("deployment.failed", status="failed", error="No build.", number=3), "deployment.failed", "3", "No build."),
        (_of("deployment.completed", status="success", number=4), "deployment.succeeded", "4 of shop/web", ""),
        (_of("run.failed", run="run_1", error="It ended with 1."), "run.failed", "A run of", "It ended with 1."),
        (_of("backup.failed", kind="dump", message="No space."), "backup.failed", "A dump of shop/web", "No space."),
        (_of("preview.waiting", preview="prv_1"), "preview.waiting", "waits for approval", "Nothing of it runs"),
        (_of("certificate.failed", key="c", message="No DNS."), "certificate.problem", "cannot be had", "No DNS."),
        (_of("certificate.recovered", key="c", message="a.example.com"), "certificate.problem", "again", "a.example"),
        (_of("disk.low", key="disk", message="3 MB"), "disk.low", "almost full", "3 MB"),
        (_of("disk.recovered", key="disk"), "disk.low", "has room", ""),
    ],
)
def test_what_is_told(happening: Happening, kind: str, title: str, text: str) -> None:
    wording = wording_of(happening)
    assert wording is not None
    assert wording.kind == kind
    assert title in wording.title
    assert text in wording.text
    assert wording.path.startswith("/")


def test_what_is_not_told() -> None:
    assert wording_of(_of("deployment.failed", status="cancelled")) is None
    assert wording_of(_of("deployment.failed", status="superseded")) is None
    assert wording_of(_of("service.health", status="degraded")) is None
    assert wording_of(_of("deployment.progress")) is None
    assert "deployment.progress" not in TOLD_TYPES


@pytest.mark.parametrize(
    ("kind", "address", "kept", "shown"),
    [
        ("email", "a@b.c,d@e.f", "a@b.c, d@e.f", "a@b.c, d@e.f"),
        (
            "slack",
            "https://hooks.slack.com/services/T/B/x",
            "https://hooks.slack.com/services/T/B/x",
            "hooks.slack.com",
        ),
        ("discord", "https://discord.com/api/webhooks/1/x", "https://discord.com/api/webhooks/1/x", "discord.com"),
        ("telegram", "12345:abcdefghijkl/-100", "tgram://12345:abcdefghijkl/-100", "chat -100"),
        ("webhook", "https://a.example.com/x?token=1", "https://a.example.com/x?token=1", "a.example.com"),
        ("other", "ntfys://ntfy.example.com/secret-topic", "ntfys://ntfy.example.com/secret-topic", "ntfys://…"),
    ],
)
def test_an_address_is_kept_in_one_form_and_shown_without_what_is_secret(
    kind: str, address: str, kept: str, shown: str
) -> None:
    assert check_channel_address(kind, address, allows_local=False) == kept
    assert shown_address(kind, kept) == shown


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("email", "nobody"),
        ("email", "a@b.c\nBcc: d@e.f"),
        ("email", ", ".join(f"a{number}@b.c" for number in range(11))),
        ("slack", "https://hooks.slack.com.example.com/services/x"),
        ("slack", "http://hooks.slack.com/services/x"),
        ("discord", "https://example.com/api/webhooks/1/x"),
        ("telegram", "no token"),
        ("webhook", "http://a.example.com/"),
        ("webhook", "https://user:password@a.example.com/"),
        ("webhook", "file:///etc/passwd"),
        ("other", "syslog://"),
        ("other", "dbus://"),
        ("other", "jsons://a.example.com"),
        ("other", "mailto://a.example.com"),
        ("other", "ntfy"),
    ],
)
def test_an_address_of_another_form_is_refused(kind: str, address: str) -> None:
    with pytest.raises(InvalidInput, match="The address"):
        check_channel_address(kind, address, allows_local=False)


def test_only_an_administrators_webhook_may_be_plain_and_of_this_machine() -> None:
    assert check_channel_address("webhook", "http://127.0.0.1:9/x", allows_local=True)
    assert not OTHERS & {"syslog", "dbus", "file", "windows", "json", "xml", "form"}
