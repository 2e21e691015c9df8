"""Calls about variables of projects, services and previews, and those of every project."""

from towline.client.connection import Call, Connection
from towline.contract.variables import (
    DifferenceQuery,
    EffectiveQuery,
    EffectiveVariableList,
    GlobalVariablesSet,
    HistoryQuery,
    RevealedVariable,
    StaleQuery,
    StaleWorkloadList,
    VariableDeleteQuery,
    VariableDifferenceList,
    VariableHistory,
    VariableList,
    VariableQuery,
    VariableReveal,
    VariablesSet,
)


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

    def delete(self, project: str, name: str, query: VariableDeleteQuery | None = None) -> None:
        """Delete one variable."""
        self._connection.run(Call("variables.delete", {"project": project, "name": name}, query=query))

    def effective(self, project: str, query: EffectiveQuery) -> EffectiveVariableList:
        """What instances of a service get, with where each value comes from."""
        call = Call("variables.effective", {"project": project}, query=query)
        return self._connection.send(call, EffectiveVariableList)

    def stale(self, project: str, query: StaleQuery | None = None) -> StaleWorkloadList:
        """Services that need a deployment to get their variables."""
        return self._connection.send(Call("variables.stale", {"project": project}, query=query), StaleWorkloadList)

    def compare(self, project: str, query: DifferenceQuery) -> VariableDifferenceList:
        """What differs between environments or releases."""
        call = Call("variables.compare", {"project": project}, query=query)
        return self._connection.send(call, VariableDifferenceList)

    def history(self, project: str, query: HistoryQuery | None = None) -> VariableHistory:
        """Changes, newest first."""
        return self._connection.send(Call("variables.history", {"project": project}, query=query), VariableHistory)

    def undo(self, project: str, change: str) -> VariableList:
        """Take a change back; Conflict when the variable changed since."""
        return self._connection.send(Call("variables.undo", {"project": project, "change": change}), VariableList)

    def reveal(self, project: str, name: str, body: VariableReveal) -> RevealedVariable:
        """The value, also of a secret."""
        call = Call("variables.reveal", {"project": project, "name": name}, body=body)
        return self._connection.send(call, RevealedVariable)


class GlobalVariables:
    """Variables of every project; for instance administrators."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> VariableList:
        """Variables by name; secrets come without a value."""
        return self._connection.send(Call("globalVariables.list"), VariableList)

    def set(self, variables: GlobalVariablesSet) -> VariableList:
        """Set variables in one step."""
        return self._connection.send(Call("globalVariables.set", body=variables), VariableList)

    def delete(self, name: str) -> None:
        """Delete one variable."""
        self._connection.run(Call("globalVariables.delete", {"name": name}))

    def history(self, query: HistoryQuery | None = None) -> VariableHistory:
        """Changes, newest first."""
        return self._connection.send(Call("globalVariables.history", query=query), VariableHistory)

    def undo(self, change: str) -> VariableList:
        """Take a change back; Conflict when the variable changed since."""
        return self._connection.send(Call("globalVariables.undo", {"change": change}), VariableList)
