"""Operations of dependencies and group deployments."""

from typing import Final

from towline.contract.dependencies import Dependency, DependencyGraph, DependencySet
from towline.contract.groups import Group, GroupDeploy, GroupList, GroupQuery, GroupRollback
from towline.contract.operations import Operation, accept, delete, read

_PROJECT: Final = "/projects/{project}"
_GROUP: Final = f"{_PROJECT}/groups/{{group}}"
_DEPENDENCY: Final = f"{_PROJECT}/services/{{service}}/dependencies/{{dependency}}"

GROUP_OPERATIONS: Final[tuple[Operation, ...]] = (
    accept(
        "projects.deploy",
        f"{_PROJECT}/deploy",
        takes=GroupDeploy,
        gives=Group,
        summary="Deploy the project, or some of its services, all or nothing",
    ),
    read(
        "groups.list",
        f"{_PROJECT}/groups",
        needs="view_projects",
        gives=GroupList,
        query=GroupQuery,
        summary="List deployments of services together",
    ),
    accept(
        "groups.rollback",
        f"{_PROJECT}/groups/rollback",
        takes=GroupRollback,
        gives=Group,
        summary="Roll back to the releases of an earlier group, all or nothing",
    ),
    read("groups.getStatus", _GROUP, needs="view_projects", gives=Group, summary="Show a group and its deployments"),
    accept("groups.cancel", f"{_GROUP}/cancel", gives=Group, summary="Cancel a group"),
    read(
        "dependencies.list",
        f"{_PROJECT}/dependencies",
        needs="view_projects",
        gives=DependencyGraph,
        summary="Show which services need which",
    ),
    Operation(
        "dependencies.set",
        "PUT",
        _DEPENDENCY,
        "Let a service need another one",
        "manage_services",
        request=DependencySet,
        response=Dependency,
    ),
    delete(
        "dependencies.delete", _DEPENDENCY, needs="manage_services", summary="Let a service no longer need another one"
    ),
)
