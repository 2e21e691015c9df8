"""Calls about the project file."""

from towline.client.connection import Call, Connection
from towline.contract.project_file import Applied, ApplyRequest, ExportedFile, Plan, PlanRequest


class ProjectFiles:
    """Project files: planned, applied, written."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def plan(self, request: PlanRequest) -> Plan:
        """What applying the file would do."""
        return self._connection.send(Call("projectFiles.plan", body=request), Plan)

    def apply(self, request: ApplyRequest) -> Applied:
        """Carry out a plan; Conflict when the project has changed since."""
        return self._connection.send(Call("projectFiles.apply", body=request), Applied)

    def export(self, project: str) -> ExportedFile:
        """The file of a project as it is."""
        return self._connection.send(Call("projectFiles.export", {"project": project}), ExportedFile)
