"""Operations of connections to git platforms."""

from typing import Final

from towline.contract.connections import (
    BranchQuery,
    Connection,
    ConnectionCreate,
    ConnectionList,
    ConnectionQuery,
    RemoteBranchList,
    RemotePageQuery,
    RemoteRepositoryList,
)
from towline.contract.operations import create, delete, read

_CONNECTION: Final = "/connections/{connection}"

CONNECTION_OPERATIONS: Final = (
    read(
        "connections.list",
        "/connections",
        needs="manage_services",
        gives=ConnectionList,
        query=ConnectionQuery,
        summary="List credentials for git platforms",
    ),
    create(
        "connections.create",
        "/connections",
        needs="manage_services",
        takes=ConnectionCreate,
        gives=Connection,
        summary="Store a credential for a git platform",
    ),
    delete("connections.delete", _CONNECTION, needs="manage_services", summary="Delete a credential"),
    read(
        "connections.listRepositories",
        f"/projects/{{project}}{_CONNECTION}/repositories",
        needs="manage_services",
        gives=RemoteRepositoryList,
        query=RemotePageQuery,
        summary="List the repositories that a connection of a project reaches",
    ),
    read(
        "connections.listBranches",
        f"/projects/{{project}}{_CONNECTION}/branches",
        needs="manage_services",
        gives=RemoteBranchList,
        query=BranchQuery,
        summary="List the branches of a repository",
    ),
)
