"""`towline health --platform`: how Towline itself is."""

from typing import Final

import typer

from towline.cli.output import size_text
from towline.cli.session import Session
from towline.contract.platform import PlatformHealth

_UNHEALTHY: Final = 12
"""Exit code when a part does not work."""


def show_platform(session: Session) -> None:
    """Every part, the room that is left, and what waits; ends with a code of its own when a part does not work."""
    health, output = session.client.instance.get_health(), session.output
    if output.is_json:
        output.document(health.model_dump(mode="json"))
    else:
        _show(session, health)
    if not all(part.is_working for part in health.parts):
        raise typer.Exit(_UNHEALTHY)


def _show(session: Session, health: PlatformHealth) -> None:
    output = session.output
    output.models(
        health.parts,
        {
            "part": lambda row: row.title,
            "works": lambda row: "yes" if row.is_working else "no",
            "detail": lambda row: row.problem or row.detail,
        },
        nothing="",
    )
    output.say()
    output.say(f"Disk    {_room(health.disk_free, health.disk_total)}")
    output.say(f"Memory  {_room(health.memory_available, health.memory_total)}")
    for trouble in health.troubles:
        output.say(f"{trouble.kind}: {trouble.message}")
    output.say()
    output.models(
        health.queue,
        {
            "deployment": lambda row: f"{row.project}/{row.service} #{row.number}",
            "status": lambda row: row.status,
            "why it waits": lambda row: row.reason,
            "since": lambda row: row.created_at,
        },
        nothing="No deployment waits.",
    )


def _room(free: int, total: int) -> str:
    return f"{size_text(free)} free of {size_text(total)}"
