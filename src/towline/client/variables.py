"""Calls about variables of a project or service."""

from towline.client.connection import Call, Connection
from towline.contract.variables import VariableDeleteQuery, VariableList, VariableQuery, VariablesSet


class Variables:
    """Variables; without a service they are the project's own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, query: VariableQuery | None = None) -> VariableList:
        """Variables by name; secrets come without a value."""
        return self._connection.send(Call("variables.list", {"project": project}, query=query), VariableList)

    def set(self, project: str, variables: VariablesSet) -> VariableList:
        """Set variables in one step."""
        return self._connection.send(Call("variables.set", {"project": project}, body=variables), VariableList)

    def delete(self, project: str, name: str, *, service: str | None = None) -> None:
        """Delete one variable."""
        query = VariableDeleteQuery(service=service)
        self._connection.run(Call("variables.delete", {"project": project, "name": name}, query=query))
