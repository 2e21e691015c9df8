"""Calls about members of projects and about invitations."""

from collections.abc import Iterator

from towline.client.connection import Call, Connection
from towline.contract.base import PageQuery
from towline.contract.members import (
    Invitation,
    InvitationAccept,
    InvitationAccepted,
    InvitationCreate,
    InvitationJoin,
    InvitationList,
    InvitationLookup,
    InvitationOffer,
    InvitationQuery,
    Member,
    MemberAdd,
    MemberList,
    MemberUpdate,
    NewInvitation,
    ProjectTransfer,
)


class Members:
    """Members of projects; `project` is an id or a name, `user` an id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, query: PageQuery | None = None) -> MemberList:
        """One page of members, in the order they joined."""
        return self._connection.send(Call("members.list", {"project": project}, query=query), MemberList)

    def iterate(self, project: str) -> Iterator[Member]:
        """All members."""
        return self._connection.iterate(
            Call("members.list", {"project": project}, query=PageQuery(limit=200)), MemberList
        )

    def add(self, project: str, member: MemberAdd) -> Member:
        """Make a user a member at once; NotFound for somebody the caller shares no project with."""
        return self._connection.send(Call("members.add", {"project": project}, body=member), Member)

    def update(self, project: str, user: str, change: MemberUpdate) -> Member:
        """Give a member another role."""
        return self._connection.send(Call("members.update", {"project": project, "user": user}, body=change), Member)

    def remove(self, project: str, user: str) -> None:
        """Remove a member."""
        self._connection.run(Call("members.remove", {"project": project, "user": user}))

    def leave(self, project: str) -> None:
        """Leave a project."""
        self._connection.run(Call("members.leave", {"project": project}))

    def transfer(self, project: str, transfer: ProjectTransfer) -> Member:
        """Hand a project over to another member."""
        return self._connection.send(Call("members.transfer", {"project": project}, body=transfer), Member)


class Invitations:
    """Invitations to projects and to the instance."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, query: InvitationQuery | None = None) -> InvitationList:
        """One page of invitations that were neither accepted nor revoked, newest first."""
        return self._connection.send(Call("invitations.list", query=query), InvitationList)

    def iterate(self, project: str | None = None) -> Iterator[Invitation]:
        """All invitations to a project, or those to the instance."""
        query = InvitationQuery(project=project, limit=200)
        return self._connection.iterate(Call("invitations.list", query=query), InvitationList)

    def create(self, invitation: InvitationCreate) -> NewInvitation:
        """Invite somebody; without a mail server the answer alone shows the link."""
        return self._connection.send(Call("invitations.create", body=invitation), NewInvitation)

    def resend(self, invitation: str) -> NewInvitation:
        """Renew an invitation."""
        return self._connection.send(Call("invitations.resend", {"invitation": invitation}), NewInvitation)

    def revoke(self, invitation: str) -> None:
        """Make an invitation worthless."""
        self._connection.run(Call("invitations.revoke", {"invitation": invitation}))

    def lookup(self, lookup: InvitationLookup) -> InvitationOffer:
        """What a link is for."""
        return self._connection.send(Call("invitations.lookup", body=lookup), InvitationOffer)

    def accept(self, accept: InvitationAccept) -> InvitationAccepted:
        """Accept as a new user."""
        return self._connection.send(Call("invitations.accept", body=accept), InvitationAccepted)

    def join(self, join: InvitationJoin) -> InvitationAccepted:
        """Accept as the user who is calling."""
        return self._connection.send(Call("invitations.join", body=join), InvitationAccepted)
