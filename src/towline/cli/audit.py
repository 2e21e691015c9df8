"""`towline audit`: who changed what, and whether anybody changed the log itself."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from towline.cli.options import AsJson, Limit
from towline.cli.session import Session, open_session
from towline.contract.audit import AuditFilter, AuditHead, AuditQuery, AuditVerdict
from towline.errors import InvalidInput

audit = typer.Typer(name="audit", help="The audit log: every change and every refused attempt.")

_BROKEN: Final = 12
"""Exit code of `verify` when the log is not as it was written."""

Project = Annotated[
    str | None, typer.Option("--project", "-p", metavar="NAME", help="Only of this project; without it all.")
]
Actor = Annotated[str | None, typer.Option("--actor", metavar="ID", help="Only of this user.")]
Action = Annotated[
    str | None, typer.Option("--action", metavar="NAME", help="Only this operation, such as `services.scale`, or noun.")
]
Object = Annotated[str | None, typer.Option("--object", metavar="ID", help="Only changes of this object.")]
Refused = Annotated[bool, typer.Option("--refused", help="Only refused attempts.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From this time on: ISO 8601, or `7d`, `12h`, `30m` ago.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this time, in the same forms.")]


@audit.callback(invoke_without_command=True)
def list_by_default(
    context: typer.Context, *, project: Project = None, limit: Limit = 50, as_json: AsJson = False
) -> None:
    """The audit log: every change and every refused attempt."""
    if context.invoked_subcommand is None:
        list_entries(project=project, limit=limit, as_json=as_json)


@audit.command("list")
def list_entries(
    *,
    project: Project = None,
    actor: Actor = None,
    action: Action = None,
    of: Object = None,
    refused: Refused = False,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List changes and refused attempts, newest first."""
    chosen = _filter(project, actor, action, of=of, refused=refused, since=since, until=until)
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.audit.list(AuditQuery(**chosen.model_dump(), limit=limit)).items,
            {
                "when": lambda row: row.at,
                "action": lambda row: row.action,
                "outcome": lambda row: row.outcome,
                "who": lambda row: row.actor_id,
                "by": lambda row: row.key_id or row.session_id or row.via,
                "from": lambda row: row.address,
                "object": lambda row: row.object_id,
            },
            nothing="Nothing yet.",
        )


@audit.command("export")
def export(
    *,
    project: Project = None,
    actor: Actor = None,
    action: Action = None,
    of: Object = None,
    refused: Refused = False,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Write all entries that fit to standard output, oldest first, one line of JSON each."""
    chosen = _filter(project, actor, action, of=of, refused=refused, since=since, until=until)
    with open_session(as_json=as_json) as session:
        for line in session.client.audit.export_lines(chosen):
            sys.stdout.write(f"{line}\n")


@audit.command("head")
def head(*, as_json: AsJson = False) -> None:
    """Show the end of the log. Kept elsewhere, it shows later whether anything before it was changed."""
    with open_session(as_json=as_json) as session:
        found = session.client.audit.get_head()
        session.output.model(found, {"head": f"{found.sequence}:{found.hash}", "at": found.at})


@audit.command("verify")
def verify(
    kept: Annotated[
        str | None,
        typer.Argument(metavar="[NUMBER:HASH]", help="A head that was kept elsewhere (`towline audit head`)."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check that every entry is as it was written and none is missing; exit code 12 when one is not."""
    known = _parse_head(kept) if kept else None
    with open_session(as_json=as_json) as session:
        verdict = session.client.audit.verify(known)
        _tell(session, verdict)
    if not verdict.is_intact:
        raise typer.Exit(_BROKEN)


def _tell(session: Session, verdict: AuditVerdict) -> None:
    found = "intact" if verdict.is_intact else f"broken at entry {verdict.broken}: {verdict.reason}"
    head = f"{verdict.head.sequence}:{verdict.head.hash}" if verdict.head.sequence else None
    facts = {"log": found, "entries": verdict.entries, "first": verdict.first, "head": head, "waiting": verdict.waiting}
    session.output.model(verdict, facts)


def _filter(
    project: str | None,
    actor: str | None,
    action: str | None,
    *,
    of: str | None,
    refused: bool,
    since: str | None,
    until: str | None,
) -> AuditFilter:
    return AuditFilter(
        project=project,
        actor=actor,
        action=action,
        object=of,
        outcome="refused" if refused else None,
        since=_parse_time(since, field="since"),
        until=_parse_time(until, field="until"),
    )


def _parse_time(text: str | None, *, field: str) -> datetime | None:
    """A time, or how long ago one was."""
    if text is None:
        return None
    units = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
    try:
        if text[-1:] in units and text[:-1].isdecimal():
            return datetime.now(UTC) - int(text[:-1]) * units[text[-1]]
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text!r} is no time.", hint="Write 2026-01-31T08:00 or 7d.", field=field) from error


def _parse_head(text: str) -> AuditHead:
    number, _, found = text.partition(":")
    if not number.isdecimal() or not found:
        raise InvalidInput(f"{text!r} is not NUMBER:HASH.", hint="Pass what `towline audit head` has shown.")
    return AuditHead(sequence=int(number), hash=found)
