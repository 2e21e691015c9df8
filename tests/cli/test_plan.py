"""How a plan is shown: what changes inside a setting, where a service comes from, what is down."""

import pytest

from towline.cli.output import Output
from towline.cli.plan import say_plan
from towline.contract.project_file import Change, FieldChange, Plan


def _said(capsys: pytest.CaptureFixture[str], *changes: Change, deploys: bool = True, down: str = "") -> list[str]:
    plan = Plan(
        changes=list(changes),
        deploys=[["db"], ["web"]] if deploys else [],
        interrupts=[down] if down else [],
        fingerprint="x",
    )
    say_plan(Output(is_json=False), plan, project="shop")
    return capsys.readouterr().out.splitlines()


def _source(image: str) -> dict[str, object]:
    return {"type": "custom", "config": {"image": image}}


def test_a_changed_image_is_named_and_whether_anything_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    image = FieldChange(field="source", before=_source("web:1"), after=_source("web:2"))
    health = FieldChange(field="health", before={"kind": "auto", "path": "/"}, after={"kind": "http", "path": "/"})
    volumes = FieldChange(field="volumes", before=[{"name": "data", "path": "/data"}], after=[])
    change = Change(action="update", kind="service", service="web", name="web", fields=[image, health, volumes])
    assert _said(capsys, change) == [
        "~ service web",
        "    image: web:1 → web:2",
        "    health.kind: auto → http",
        "    volumes: data at /data → none",
        "Deploys: db → web",
        "Nothing that runs is down meanwhile.",
    ]
    assert _said(capsys, down="db")[-1] == "Down for a moment, since a volume changes hands: db."


def test_a_new_service_says_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    sources: dict[str, dict[str, object]] = {
        "web:1": _source("web:1"),
        "the folder of the file": {"type": "upload", "config": {}},
        "a Dockerfile in the file": {"type": "custom", "config": {"dockerfile": "FROM x"}},
        "https://git.example.com/a.git": {"type": "git", "config": {"url": "https://git.example.com/a.git"}},
        "acme/shop": {"type": "github", "config": {"repository": "acme/shop"}},
    }
    for shown, source in sources.items():
        made = FieldChange(field="source", after=source)
        change = Change(action="create", kind="service", service="web", name="web", fields=[made])
        assert _said(capsys, change, deploys=False) == [f"+ service web, from {shown}"]


def test_another_kind_of_source_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    source = FieldChange(field="source", before=_source("web:1"), after={"type": "upload", "config": {}})
    change = Change(action="update", kind="service", service="web", name="web", fields=[source])
    assert _said(capsys, change, deploys=False) == [
        "~ service web",
        "    image: web:1 → none",
        "    source: custom → upload",
    ]
