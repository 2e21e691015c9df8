"""Calls about previews."""

from towline.client.connection import Call, Connection
from towline.contract.previews import (
    Preview,
    PreviewApprove,
    PreviewCreate,
    PreviewList,
    PreviewQuery,
    PreviewRules,
    PreviewUpdate,
)


class Previews:
    """Previews of a project; `preview` is an id or a name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, query: PreviewQuery | None = None) -> PreviewList:
        """One page of a project's previews, newest first."""
        return self._connection.send(Call("previews.list", {"project": project}, query=query), PreviewList)

    def create(self, project: str, preview: PreviewCreate, *, idempotency_key: str | None = None) -> Preview:
        """Create a preview and deploy it; Conflict when its name is taken."""
        call = Call("previews.create", {"project": project}, body=preview, idempotency_key=idempotency_key)
        return self._connection.send(call, Preview)

    def get(self, project: str, preview: str) -> Preview:
        """A preview, or NotFound."""
        return self._connection.send(Call("previews.get", _path(project, preview)), Preview)

    def update(self, project: str, preview: str, change: PreviewUpdate) -> Preview:
        """Change a preview, or deploy it again."""
        return self._connection.send(Call("previews.update", _path(project, preview), body=change), Preview)

    def delete(self, project: str, preview: str) -> None:
        """Remove a preview with all that belongs to it."""
        self._connection.run(Call("previews.delete", _path(project, preview)))

    def extend(self, project: str, preview: str) -> Preview:
        """Let its lifetime begin anew."""
        return self._connection.send(Call("previews.extend", _path(project, preview)), Preview)

    def approve(self, project: str, preview: str, revision: str) -> Preview:
        """Let a commit of a fork run; Conflict when the request has moved on."""
        body = PreviewApprove(revision=revision)
        return self._connection.send(Call("previews.approve", _path(project, preview), body=body), Preview)

    def wake(self, project: str, preview: str) -> Preview:
        """Wake a preview that sleeps."""
        return self._connection.send(Call("previews.wake", _path(project, preview)), Preview)

    def get_rules(self, project: str) -> PreviewRules:
        """The rules for a project's previews."""
        return self._connection.send(Call("previews.getRules", {"project": project}), PreviewRules)

    def update_rules(self, project: str, rules: PreviewRules) -> PreviewRules:
        """Set the rules for a project's previews, whole."""
        return self._connection.send(Call("previews.updateRules", {"project": project}, body=rules), PreviewRules)


def _path(project: str, preview: str) -> dict[str, str | int]:
    return {"project": project, "preview": preview}
