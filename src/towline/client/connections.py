"""Calls about connections to git platforms."""

from towline.client.connection import Call, Connection
from towline.contract.connections import (
    BranchQuery,
    ConnectionCreate,
    ConnectionList,
    ConnectionQuery,
    RemoteBranchList,
    RemotePageQuery,
    RemoteRepositoryList,
)
from towline.contract.connections import Connection as ConnectionModel


class Connections:
    """Credentials for git platforms."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, query: ConnectionQuery | None = None) -> ConnectionList:
        """One page of credentials, by host."""
        return self._connection.send(Call("connections.list", query=query), ConnectionList)

    def create(self, new: ConnectionCreate) -> ConnectionModel:
        """Store a credential."""
        return self._connection.send(Call("connections.create", body=new), ConnectionModel)

    def delete(self, connection: str) -> None:
        """Delete a credential."""
        self._connection.run(Call("connections.delete", {"connection": connection}))

    def list_repositories(
        self, project: str, connection: str, query: RemotePageQuery | None = None
    ) -> RemoteRepositoryList:
        """One page of the repositories that it reaches, as the platform gives them."""
        call = Call("connections.listRepositories", {"project": project, "connection": connection}, query=query)
        return self._connection.send(call, RemoteRepositoryList)

    def list_branches(self, project: str, connection: str, query: BranchQuery) -> RemoteBranchList:
        """One page of the branches of a repository."""
        call = Call("connections.listBranches", {"project": project, "connection": connection}, query=query)
        return self._connection.send(call, RemoteBranchList)
