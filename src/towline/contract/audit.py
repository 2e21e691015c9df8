"""The audit log: every change and every refused attempt."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from towline.contract.base import JsonObject, Model, Page, PageQuery, Reference


class AuditQuery(PageQuery):
    """Which entries are wanted."""

    project: Reference | None = Field(
        default=None, description="Only of this project (id or name); without it all, for administrators."
    )


class AuditEntry(Model):
    """One change or refused attempt."""

    id: int = Field(description="Number, growing with time.", examples=[512])
    at: datetime = Field(description="When.")
    action: str = Field(description="What: an operation's id.", examples=["services.scale"])
    outcome: Literal["allowed", "refused"] = Field(description="Whether it was done.")
    actor_id: str = Field(default="", description="Id of the user; empty for nobody known.")
    key_id: str = Field(default="", description="Id of the API key, if one.")
    address: str = Field(default="", description="Address the call came from.", examples=["203.0.113.9"])
    project_id: str = Field(default="", description="Id of the project, if one.")
    object_id: str = Field(default="", description="Id of what was changed.")
    detail: JsonObject = Field(default={}, description="What was changed, without secrets.")


class AuditList(Page[AuditEntry]):
    """Entries, newest first."""
