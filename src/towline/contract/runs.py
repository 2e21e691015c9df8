"""Runs of cron services: what ran, when, and how it ended."""

from datetime import datetime

from pydantic import Field

from towline.contract.base import DEFAULT_ENVIRONMENT, Model, Page, PageQuery, Slug
from towline.runs import RunStatus, RunTrigger


class RunQuery(PageQuery):
    """Which runs are wanted."""

    environment: Slug = Field(default=DEFAULT_ENVIRONMENT, description="Name of the environment.")
    status: RunStatus | None = Field(default=None, description="Only runs that stand so.")


class Run(Model):
    """One run of a cron service."""

    id: str = Field(description="Id.", examples=["run_01k9x3v5mdcq2r7s8t9vwxyz01"])
    project_id: str = Field(description="Id of the project.")
    service_id: str = Field(description="Id of the service.")
    environment: str = Field(description="Name of the environment.", examples=["production"])
    release: int | None = Field(default=None, description="Number of the release that it runs.", examples=[12])
    trigger: RunTrigger = Field(description="Why it runs.")
    requested_by: str = Field(default="", description="Id of the user who asked for it; empty: the schedule.")
    scheduled_at: datetime = Field(description="When it was due, or asked for.")
    status: RunStatus = Field(
        description="`skipped`: it never began, `error` says why · `failed`: also when interrupted or out of time."
    )
    exit_code: int | None = Field(default=None, description="Exit code of the program, once it ended by itself.")
    error: str = Field(default="", description="Why it failed, was cancelled or skipped.")
    started_at: datetime | None = Field(default=None, description="When it began.")
    finished_at: datetime | None = Field(default=None, description="When it ended; null while it has not.")


class RunList(Page[Run]):
    """Runs of a service in one environment, the latest first."""
