"""Templates of the dashboard, read at the first page, and the few words they say of times and sizes."""

import html
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from towline.infra.lazily import load
from towline.models.base import utc_now
from towline.web.dashboard.tables import name_cells

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER: Final = Path(__file__).parent / "templates"
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_LONGEST: Final = 400
_SHORT: Final = 120
_DIGEST: Final = "sha256:"
_DIGEST_LENGTH: Final = 64
_ACCOUNT_PAGES: Final = (
    ("/account/security", "Security"),
    ("/account/identities", "Identities"),
    ("/account/keys", "API keys"),
    ("/account/sessions", "Sessions"),
)
"""Pages of one's own account, and what they are called."""


def render(name: str, values: Mapping[str, object]) -> str:
    """A template filled in, every value escaped."""
    return name_cells(_environment().get_template(name).render(values))


def ago(moment: str | None) -> str:
    """How long ago a time of the API was, in one unit: `5 min ago`."""
    return "" if not moment else f"{_in_words((utc_now() - _time(moment)).total_seconds())} ago"


def until(moment: str | None) -> str:
    """How long it is to a time of the API: `in 3 d`."""
    return "" if not moment else f"in {_in_words((_time(moment) - utc_now()).total_seconds())}"


def lasting(seconds: float | None) -> str:
    """A length of time: `0.8 s`, `1 min 12 s`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def between(first: str | None, last: str | None) -> str:
    """The time between two times of the API, up to now when there is no last."""
    if not first:
        return ""
    end = _time(last) if last else utc_now()
    return lasting(max((end - _time(first)).total_seconds(), 0))


def size(amount: int | None) -> str:
    """Bytes in words: `1.4 MB`."""
    value = float(amount or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def short(text: str | None, length: int = 12) -> str:
    """The first characters of a commit or digest."""
    return (text or "").removeprefix(_DIGEST)[:length]


def bounded(text: str | None, length: int = _LONGEST) -> str:
    """A text of somebody else's, cut where a page would be nothing else."""
    text = text or ""
    return text if len(text) <= length else text[:length] + "…"


def percent(share: float) -> str:
    """A share of one: `99.95 %`; never rounded up to all of it."""
    return "100 %" if share >= 1 else f"{min(100 * share, 99.99):.2f} %"


def asked_for(deployment: Mapping[str, str], length: int = _LONGEST) -> str:
    """What a deployment is of, in words: the commit's message, a branch, an image, or an upload; whole for 0."""
    said = deployment["message"] or deployment["ref"] or deployment["trigger"]
    if said.startswith(_DIGEST):
        return "Upload"
    return bounded(said, length) if length else said


def made_of(release: Mapping[str, str]) -> str:
    """What a release is of, in words: the commit's message, an upload, or an image."""
    if release["message"]:
        return bounded(release["message"], _SHORT)
    return "Upload" if len(release["commit"].removeprefix(_DIGEST)) == _DIGEST_LENGTH else "Image"


def command(arguments: Sequence[str]) -> str:
    """Arguments as a command line that reads as the same arguments."""
    return shlex.join(arguments)


def log_items(lines: Sequence[Mapping[str, Any]]) -> str:
    """Lines of a log as list items, escaped; a thousand of them cost a template five times as much."""
    return "\n".join(map(_log_item, lines))


def _log_item(line: Mapping[str, Any]) -> str:
    at, level, message = (html.escape(line[name]) for name in ("at", "level", "message"))
    kind = f"{level} system" if line["stream"] == "system" else level
    return (
        f'<li data-sequence="{line["sequence"]}" class="{kind}"><time datetime="{at}">{at[11:19]}</time>'
        f'<span dir="auto">{message}</span></li>'
    )


def _in_words(seconds: float) -> str:
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "0 s"


def _time(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


@cache
def _environment() -> "Environment":
    jinja = load("jinja2")
    environment: Environment = load("towline.web.dashboard.lookups").DictFirst(
        loader=jinja.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        size=size,
        ago=ago,
        until=until,
        lasting=lasting,
        short=short,
        bounded=bounded,
        percent=percent,
        asked_for=asked_for,
        made_of=made_of,
        command=command,
    )
    globals_: dict[str, object] = environment.globals  # pyright: ignore[reportAssignmentType] - typed by its first ones
    globals_.update(between=between, log_items=log_items, account_pages=_ACCOUNT_PAGES)
    return environment
