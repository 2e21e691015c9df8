"""Wanting a git platform to be told something: kept as a row, sent by the conductor, never waited for."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from sqlalchemy.dialects.postgresql import insert

from towline.actions.connections.administration import find_connection, find_host_api
from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.connections import HostReport
from towline.names import new_id

BELL: Final = "reports"
Kind = Literal["hook", "hook_removal", "status", "comment"]


async def ask_report(
    platform: Platform,
    work: Work,
    *,
    project_id: str,
    source_type: str,
    repository: str,
    kind: Kind,
    target: str,
    facts: Mapping[str, Any],
) -> bool:
    """Want a platform to be told; false when there is no connection through which it could be.

    The same kind and target again replaces what is told.
    """
    if find_host_api(platform, source_type) is None:
        return False
    found = await find_connection(work.session, project_id=project_id, repository=repository, kind=source_type)
    if found is None:
        return False
    subject = {"project_id": project_id, "platform": source_type, "repository": repository}
    await _upsert(work, {**subject, "kind": kind, "target": target}, facts)
    work.after_commit(lambda: platform.bell.ring(BELL))
    return True


async def _upsert(work: Work, subject: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    wanted: dict[str, Any] = {"facts": dict(facts), "state": "open", "attempts": 0, "look_at": utc_now(), "error": ""}
    made = {"id": new_id("rpt"), "created_at": utc_now(), "remote_id": "", "sent_digest": "", "version": 1}
    statement = insert(HostReport).values({**made, **subject, **wanted})
    await work.session.execute(
        statement.on_conflict_do_update(
            index_elements=["project_id", "repository", "kind", "target"],
            set_={**wanted, "version": HostReport.version + 1},
        )
    )
