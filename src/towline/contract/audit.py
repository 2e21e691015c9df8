"""The audit log: every change and every refused attempt."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from towline.contract.base import JsonObject, Model, Page, PageQuery, Reference

Outcome = Literal["allowed", "refused"]
_Action = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,40}(\.[A-Za-z]{1,40})?$", max_length=81)]
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}$", max_length=80)]
_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)]
_PROJECT: Final = "Only of this project (id or name); without it all, for administrators."


class AuditFilter(Model):
    """Which entries are wanted."""

    project: Reference | None = Field(default=None, description=_PROJECT)
    actor: _Id | None = Field(default=None, description="Only of the user with this id.")
    action: _Action | None = Field(
        default=None, description="Only this operation, or all of a noun.", examples=["services.scale", "services"]
    )
    object: _Id | None = Field(default=None, description="Only changes of the object with this id.")
    outcome: Outcome | None = Field(default=None, description="Only what was done, or only what was refused.")
    since: AwareDatetime | None = Field(default=None, description="From this time on (with zone).")
    until: AwareDatetime | None = Field(default=None, description="Before this time (with zone).")


class AuditQuery(PageQuery, AuditFilter):
    """Which entries are wanted, and which page of them."""


class AuditEntry(Model):
    """One change or refused attempt."""

    id: int = Field(description="Number, growing with time.", examples=[512])
    sequence: int | None = Field(
        default=None, description="Place in the chain; null for a moment after it was written."
    )
    at: datetime = Field(description="When.")
    action: str = Field(description="What: an operation's id.", examples=["services.scale"])
    outcome: Outcome = Field(description="Whether it was done.")
    actor_id: str = Field(default="", description="Id of the user; empty for nobody known.")
    via: str = Field(
        default="",
        description="How: `key`, `session`, `server` (a command there), `system` (Towline by itself), or empty.",
        examples=["key"],
    )
    key_id: str = Field(default="", description="Id of the API key, if one.")
    session_id: str = Field(default="", description="Id of the session, if one.")
    address: str = Field(default="", description="Address the call came from.", examples=["203.0.113.9"])
    project_id: str = Field(default="", description="Id of the project, if one.")
    object_id: str = Field(default="", description="Id of what was changed.")
    detail: JsonObject = Field(default={}, description="What was changed, without secrets.")
    before: dict[str, JsonValue] = Field(
        default={}, description="The changed fields as they were; secrets as `changed`."
    )
    after: dict[str, JsonValue] = Field(default={}, description="The changed fields as they are; secrets as `changed`.")
    hash: str = Field(
        default="", description="SHA-256 over the entry before and this one, in hex; empty without a place."
    )


class AuditList(Page[AuditEntry]):
    """Entries, newest first."""


class AuditHead(Model):
    """The newest entry of the chain; keep it elsewhere, and give it to `audit.verify` later."""

    sequence: int = Field(description="Its place in the chain; 0 when there is none.", examples=[512])
    hash: str = Field(description="Its hash, which depends on all entries before it.")
    at: datetime | None = Field(default=None, description="When it was chained.")


class AuditVerifyQuery(Model):
    """A head that was kept elsewhere, if one."""

    sequence: int | None = Field(default=None, ge=1, le=2**53, description="`sequence` of a head kept elsewhere.")
    hash: _Hash | None = Field(default=None, description="Its `hash`.")


class AuditVerdict(Model):
    """What a look at the whole log found."""

    is_intact: bool = Field(description="Whether every entry is as it was written, and none is missing.")
    entries: int = Field(description="How many entries were looked at.")
    first: int = Field(description="Place of the first kept entry; those before it were kept as long as was set.")
    head: AuditHead = Field(description="The newest entry of the chain.")
    waiting: int = Field(description="Entries just written, which have no place yet.")
    broken: int | None = Field(default=None, description="Place of the first entry that is not right.")
    reason: str = Field(default="", description="What is not right there.")
