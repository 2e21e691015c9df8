"""What is said of an event: whether anybody is told, under which kind, and in which words; no database here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_LONGEST: Final = 1500


@dataclass(frozen=True, slots=True)
class Happening:
    """An event with the names of what it is about; empty where it is about nothing of the kind."""

    type: str
    data: Mapping[str, Any]
    project: str = ""
    service: str = ""
    service_id: str = ""
    deployment_id: str = ""
    environment: str = ""
    environment_id: str = ""
    environment_kind: str = ""

    @property
    def place(self) -> str:
        """Project, service and environment in words."""
        what = "/".join(part for part in (self.project, self.service) if part)
        return f"{what} in {self.environment}" if self.environment else what


@dataclass(frozen=True, slots=True)
class Wording:
    """What a channel is told; `subject` is the same for going down and for coming back."""

    kind: str
    subject: str
    title: str
    text: str
    path: str


def wording_of(happening: Happening) -> Wording | None:
    """What is said of an event; None for one of which nobody is told."""
    word = _WORDS.get(happening.type)
    return word(happening) if word is not None else None


def _health(of: Happening) -> Wording | None:
    status, subject = of.data.get("status"), f"health:{of.service_id}:{of.environment_id}"
    path = f"/projects/{of.project}/services/{of.service}?environment={of.environment}"
    if status == "unhealthy":
        text = _text(of, "error") or "No check of it succeeds."
        return Wording("health.down", subject, f"{of.place} is down", text, path)
    if status == "healthy":
        return Wording("health.recovered", subject, f"{of.place} is up again", "", path)
    return None


def _deployment_failed(of: Happening) -> Wording | None:
    if of.data.get("status") != "failed":
        return None
    title = f"Deployment {of.data.get('number', '')} of {of.place} failed"
    return Wording("deployment.failed", of.deployment_id, title, _text(of, "error"), f"/deployments/{of.deployment_id}")


def _deployment_completed(of: Happening) -> Wording:
    title = f"Deployment {of.data.get('number', '')} of {of.place} is live"
    return Wording("deployment.succeeded", of.deployment_id, title, "", f"/deployments/{of.deployment_id}")


def _run_failed(of: Happening) -> Wording:
    path = f"/projects/{of.project}/services/{of.service}/runs?environment={of.environment}"
    return Wording("run.failed", str(of.data.get("run", "")), f"A run of {of.place} failed", _text(of, "error"), path)


def _backup_failed(of: Happening) -> Wording:
    title = f"A {of.data.get('kind', 'backup')} of {of.place} failed"
    subject = str(of.data.get("backup", ""))
    return Wording("backup.failed", subject, title, _text(of, "message"), f"/projects/{of.project}/backups")


def _preview_waiting(of: Happening) -> Wording:
    text = _text(of, "message") or "Nothing of it runs until a member approves it."
    title = f"A preview of {of.project} waits for approval"
    return Wording("preview.waiting", str(of.data.get("preview", "")), title, text, f"/projects/{of.project}/previews")


def _trouble(kind: str, began: str, ended: str) -> Callable[[Happening], Wording]:
    def word(of: Happening) -> Wording:
        is_over = of.type.endswith(".recovered")
        subject, text = str(of.data.get("key", "")), _text(of, "message")
        path = f"/projects/{of.project}" if of.project else "/instance/health"
        return Wording(kind, subject, ended if is_over else began, text, path)

    return word


def _text(of: Happening, name: str) -> str:
    return str(of.data.get(name) or "")[:_LONGEST]


_CERTIFICATE: Final = _trouble("certificate.problem", "A certificate cannot be had", "A certificate is there again")
_DISK: Final = _trouble("disk.low", "The disk is almost full", "The disk has room again")
_WORDS: Final[Mapping[str, Callable[[Happening], Wording | None]]] = {
    "service.health": _health,
    "deployment.failed": _deployment_failed,
    "deployment.completed": _deployment_completed,
    "run.failed": _run_failed,
    "backup.failed": _backup_failed,
    "preview.waiting": _preview_waiting,
    "certificate.failed": _CERTIFICATE,
    "certificate.recovered": _CERTIFICATE,
    "disk.low": _DISK,
    "disk.recovered": _DISK,
}
TOLD_TYPES: Final = tuple(_WORDS)
"""Types of the events that channels may be told of."""
