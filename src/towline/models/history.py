"""What happened: events, log lines, health checks, the audit log, and answers kept for repeated requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Sequence, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Row, utc_now

event_numbers = Sequence("event_numbers", metadata=Row.metadata)


class Event(Row):
    """A past fact, written in the transaction that made it true; `sequence` is given in commit order by the relay."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_unnumbered", "id", postgresql_where=text("sequence IS NULL")),
        Index(None, "project_id", "sequence"),
        Index(None, "deployment_id", "sequence"),
        Index(None, "user_id", "sequence"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    sequence: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    type: Mapped[str]
    project_id: Mapped[str] = mapped_column(default="")
    service_id: Mapped[str] = mapped_column(default="")
    deployment_id: Mapped[str] = mapped_column(default="")
    user_id: Mapped[str] = mapped_column(default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Log(Row):
    """One log: of a deployment (its build) or of a workload (what its instances print)."""

    __tablename__ = "logs"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    owner_id: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    last_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    first_sequence: Mapped[int] = mapped_column(BigInteger, default=1)


class LogLine(Row):
    """One line of output, numbered from 1 without gaps within its log."""

    __tablename__ = "log_lines"
    __table_args__ = (Index(None, "log_id", "at"),)

    log_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("logs.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    stream: Mapped[str]
    level: Mapped[str]
    instance_id: Mapped[str | None]
    message: Mapped[str]


class HealthCheck(Row):
    """One look of the monitor at a workload."""

    __tablename__ = "health_checks"

    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"), primary_key=True)
    checked_at: Mapped[datetime] = mapped_column(primary_key=True)
    status: Mapped[str]
    response_ms: Mapped[float | None]
    error: Mapped[str] = mapped_column(default="")


class AuditEntry(Row):
    """One change or refused attempt: who, what, on which object; never changed once written.

    `via` is key, session, server (a command on the server itself), system (Towline by itself), or empty for nobody
    known. `before` and `after` hold the changed fields. `sequence` and `hash` are given in commit order by the
    conductor: see actions.audit_chain.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_unnumbered", "id", postgresql_where=text("sequence IS NULL")),
        Index(None, "project_id", "id"),
        Index(None, "actor_id", "id"),
        Index(None, "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    sequence: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    hash: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    project_id: Mapped[str] = mapped_column(default="")
    actor_id: Mapped[str] = mapped_column(default="")
    via: Mapped[str] = mapped_column(default="")
    key_id: Mapped[str] = mapped_column(default="")
    session_id: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    action: Mapped[str]
    object_id: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str] = mapped_column(default="allowed")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)


class AuditMark(Row):
    """Where the chain of the audit log begins (`start`: the last entry that was forgotten) and ends (`head`).

    `hash` is sealed, so that who can only write to the database cannot move a mark.
    """

    __tablename__ = "audit_marks"
    __table_args__ = (CheckConstraint("kind IN ('start', 'head')", name="kind"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]
    marked_at: Mapped[datetime] = mapped_column(default=utc_now)


class IdempotentAnswer(Row):
    """The answer once given to a write that came with an Idempotency-Key; kept for a day.

    `permission` and `project_id` are what the caller had to be allowed, checked again before the answer is repeated.
    `body` holds the hash of the request as well, sealed; `request_hash` is empty, and not used any more.
    """

    __tablename__ = "idempotent_answers"

    caller_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    permission: Mapped[str] = mapped_column(default="")
    project_id: Mapped[str] = mapped_column(default="")
    status: Mapped[int | None]
    body: Mapped[bytes] = mapped_column(default=b"")
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
