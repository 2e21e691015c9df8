"""Operations of variables with origin and history."""

from typing import Final

from towline.contract.operations import Operation, delete, read, update
from towline.contract.variables import (
    DifferenceQuery,
    EffectiveQuery,
    EffectiveVariableList,
    GlobalVariablesSet,
    HistoryQuery,
    RevealedVariable,
    StaleQuery,
    StaleWorkloadList,
    VariableDifferenceList,
    VariableHistory,
    VariableList,
    VariableReveal,
)

_VARIABLES: Final = "/projects/{project}/variables"

VARIABLE_OPERATIONS: Final = (
    read(
        "variables.effective",
        f"{_VARIABLES}/effective",
        needs="deploy",
        gives=EffectiveVariableList,
        query=EffectiveQuery,
        summary="Show what instances of a service get, with where each value comes from",
    ),
    read(
        "variables.stale",
        f"{_VARIABLES}/stale",
        needs="deploy",
        gives=StaleWorkloadList,
        query=StaleQuery,
        summary="List services that need a deployment to get their variables",
    ),
    read(
        "variables.compare",
        f"{_VARIABLES}/differences",
        needs="deploy",
        gives=VariableDifferenceList,
        query=DifferenceQuery,
        summary="Compare variables between environments or releases",
    ),
    read(
        "variables.history",
        f"{_VARIABLES}/history",
        needs="deploy",
        gives=VariableHistory,
        query=HistoryQuery,
        summary="List changes of variables",
    ),
    Operation(
        "variables.undo",
        "POST",
        f"{_VARIABLES}/history/{{change}}/undo",
        "Take a change of a variable back",
        "manage_services",
        response=VariableList,
    ),
    Operation(
        "variables.reveal",
        "POST",
        f"{_VARIABLES}/{{name}}/reveal",
        "Show the value of a secret; the audit log keeps who did",
        "manage_project",
        request=VariableReveal,
        response=RevealedVariable,
    ),
    read(
        "globalVariables.list",
        "/variables",
        needs="administer",
        gives=VariableList,
        summary="List variables of every project",
    ),
    update(
        "globalVariables.set",
        "/variables",
        needs="administer",
        takes=GlobalVariablesSet,
        gives=VariableList,
        summary="Set variables of every project",
    ),
    delete(
        "globalVariables.delete", "/variables/{name}", needs="administer", summary="Delete a variable of every project"
    ),
    read(
        "globalVariables.history",
        "/variables/history",
        needs="administer",
        gives=VariableHistory,
        query=HistoryQuery,
        summary="List changes of variables of every project",
    ),
    Operation(
        "globalVariables.undo",
        "POST",
        "/variables/history/{change}/undo",
        "Take a change of a variable of every project back",
        "administer",
        response=VariableList,
    ),
)
