"""What git platforms are shown: statuses in a word, comments as a table; foreign texts cannot break out of either."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from towline.sources.hosting import StatusState
from towline.values import DeploymentStatus

_LONGEST: Final = 120
_HEAD: Final = ("| service | status | address | commit | time | log |", "|---|---|---|---|---|---|")
_WORDS: Final = {
    DeploymentStatus.QUEUED: "waits",
    DeploymentStatus.BUILDING: "is built",
    DeploymentStatus.DEPLOYING: "is deployed",
    DeploymentStatus.SUCCESS: "ready",
    DeploymentStatus.FAILED: "failed",
    DeploymentStatus.CANCELLED: "cancelled",
    DeploymentStatus.SUPERSEDED: "superseded",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A service in a comment's table."""

    service: str
    status: str
    urls: tuple[str, ...] = ()
    revision: str = ""
    at: datetime | None = None
    log_url: str = ""


def state_of(statuses: Sequence[str]) -> StatusState:
    """The state that stands for several deployments: as bad as the worst, done once all are."""
    known = [DeploymentStatus(status) for status in statuses]
    if any(status.is_final and status is not DeploymentStatus.SUCCESS for status in known):
        return "failure"
    if known and all(status is DeploymentStatus.SUCCESS for status in known):
        return "success"
    return "pending"


def status_text(statuses: Sequence[str], *, environment: str) -> str:
    """One line about several deployments."""
    known = {DeploymentStatus(status) for status in statuses}
    if DeploymentStatus.FAILED in known:
        return f"The deployment to {environment} failed."
    if DeploymentStatus.CANCELLED in known:
        return f"The deployment to {environment} was cancelled."
    if DeploymentStatus.SUPERSEDED in known:
        return f"A newer deployment to {environment} took over."
    if known == {DeploymentStatus.SUCCESS}:
        return f"Deployed to {environment}."
    return f"On its way to {environment}."


def comment_text(*, project: str, branch: str, lines: Sequence[Line], note: str = "", page: str = "") -> str:
    """A comment about a preview, in the Markdown that all platforms read."""
    title = f"**Preview of {code(branch)} in {code(project)}**" if branch else f"**Preview in {code(project)}**"
    parts = [title]
    if note:
        parts.append(note)
    if lines:
        rows = [_row(line) for line in lines]
        parts.append("\n".join([*_HEAD, *rows]))
    if page:
        parts.append(f"[Open it in Towline]({_address(page)})")
    return "\n\n".join(parts) + "\n"


def code(text: str) -> str:
    """A foreign text as code: in it neither markup, links, mentions nor HTML mean anything.

    What could end it, and what is not to be seen or changes the direction of writing, is left out.
    """
    shown = "".join(letter for letter in text if letter.isprintable()).replace("`", "'").replace("|", "¦").strip()
    cut = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return f"`{cut}`" if cut else "`-`"


def word_of(status: str) -> str:
    """A deployment's status for people."""
    return _WORDS[DeploymentStatus(status)]


def _row(line: Line) -> str:
    cells = (
        code(line.service),
        line.status,
        "<br>".join(f"<{_address(url)}>" for url in line.urls),
        code(line.revision[:12]) if line.revision else "",
        f"{line.at:%Y-%m-%d %H:%M} UTC" if line.at else "",
        f"[log]({_address(line.log_url)})" if line.log_url else "",
    )
    return f"| {' | '.join(cells)} |"


def _address(url: str) -> str:
    """An address of Towline's own making, without what Markdown could end it at."""
    return "".join(letter for letter in url if letter.isascii() and letter.isprintable() and letter not in " <>()|\"'`")
