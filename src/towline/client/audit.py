"""Calls about the audit log: reading it, downloading it, and checking that nobody changed it."""

from collections.abc import Iterator

import httpx2

from towline.client.connection import Call, Connection
from towline.contract.audit import (
    AuditEntry,
    AuditFilter,
    AuditHead,
    AuditList,
    AuditQuery,
    AuditVerdict,
    AuditVerifyQuery,
)

_SILENCE = httpx2.Timeout(60.0)


class Audit:
    """The audit log."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, query: AuditQuery | None = None) -> AuditList:
        """One page of entries, newest first."""
        return self._connection.send(Call("audit.list", query=query), AuditList)

    def export(self, query: AuditFilter | None = None) -> Iterator[AuditEntry]:
        """All entries that fit, oldest first, while they arrive."""
        for line in self.export_lines(query):
            yield AuditEntry.model_validate_json(line, extra="ignore")

    def export_lines(self, query: AuditFilter | None = None) -> Iterator[str]:
        """The same as lines of JSON, as the server sends them."""
        with self._connection.stream(Call("audit.export", query=query), headers={}, timeout=_SILENCE) as response:
            yield from response.iter_lines()

    def get_head(self) -> AuditHead:
        """The end of the log; keep it elsewhere, and pass it to `verify` later."""
        return self._connection.send(Call("audit.head"), AuditHead)

    def verify(self, kept: AuditHead | None = None) -> AuditVerdict:
        """Whether every entry is as it was written, and a head that was kept elsewhere is still part of the log."""
        query = AuditVerifyQuery() if kept is None else AuditVerifyQuery(sequence=kept.sequence, hash=kept.hash)
        return self._connection.send(Call("audit.verify", query=query), AuditVerdict)
