"""`towline members`: who works on a project, and invitations to it."""

from enum import StrEnum
from typing import Annotated, Final, Literal

import typer

from towline.cli.options import AsJson, ProjectOption, Yes
from towline.cli.session import Session, open_session
from towline.contract.members import (
    InvitationCreate,
    InvitationQuery,
    MemberAdd,
    MemberUpdate,
    NewInvitation,
    ProjectTransfer,
)
from towline.errors import NotFound

members = typer.Typer(name="members", help="Members of a project, and invitations to it.")


class RoleName(StrEnum):
    """The roles, strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


_Role = Literal["owner", "admin", "developer", "viewer"]
EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="E-mail address.")]
InvitationArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the invitation.")]
RoleOption = Annotated[RoleName, typer.Option("--role", "-r", help="What they may do.")]
_NOT_KEPT: Final = "\nPass the link on yourself, as this server sends no mail; it is not shown again."


@members.callback(invoke_without_command=True)
def list_members_by_default(context: typer.Context, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Members of a project, and invitations to it."""
    if context.invoked_subcommand is None:
        list_members(project=project, as_json=as_json)


@members.command("list")
def list_members(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List the members of a project."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            list(session.client.members.iterate(session.project(project))),
            {
                "email": lambda row: row.email,
                "name": lambda row: row.name,
                "role": lambda row: row.role,
                "since": lambda row: row.joined_at,
                "id": lambda row: row.user_id,
            },
            nothing="No member.",
        )


@members.command("add")
def add_member(
    email: EmailArgument,
    *,
    role: RoleOption = RoleName.DEVELOPER,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Make somebody you share a project with a member at once; invite everybody else."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        member = session.client.members.add(name, MemberAdd(user=email, role=_role(role)))
        session.output.model(member, {"member": member.email, "role": member.role, "project": name})


@members.command("role")
def set_role(
    email: EmailArgument,
    role: Annotated[RoleName, typer.Argument(help="What they may do from now on.")],
    *,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Give a member another role."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        user_id = _find_member(session, name, email)
        member = session.client.members.update(name, user_id, MemberUpdate(role=_role(role)))
        session.output.model(member, {"member": member.email, "role": member.role, "project": name})


@members.command("remove")
def remove_member(
    email: EmailArgument, *, project: ProjectOption = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Remove a member; their keys of the project stop at once."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        user_id = _find_member(session, name, email)
        session.confirm(f"Remove {email} from project {name}?", yes=yes)
        session.client.members.remove(name, user_id)
        session.output.say(f"Removed {email} from project {name}.")


@members.command("leave")
def leave(*, project: ProjectOption = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Leave a project yourself."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        session.confirm(f"Leave project {name}?", yes=yes)
        session.client.members.leave(name)
        session.output.say(f"You left project {name}.")


@members.command("transfer")
def transfer(email: EmailArgument, *, project: ProjectOption = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Hand a project over to another member, who becomes its owner; you stay as an admin."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        user_id = _find_member(session, name, email)
        session.confirm(f"Hand project {name} over to {email}?", yes=yes)
        member = session.client.members.transfer(name, ProjectTransfer(user=user_id))
        session.output.model(member, {"owner": member.email, "project": name})


@members.command("invite")
def invite(
    email: EmailArgument,
    *,
    role: RoleOption = RoleName.DEVELOPER,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Invite an address to a project; the invitation is good once, for seven days."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        made = session.client.invitations.create(InvitationCreate(email=email, project=name, role=_role(role)))
        show_invitation(session, made)


@members.command("invitations")
def list_invitations(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List invitations that were neither accepted nor revoked."""
    with open_session(as_json=as_json) as session:
        query = InvitationQuery(project=session.project(project), limit=200)
        session.output.models(
            session.client.invitations.list(query).items,
            {
                "email": lambda row: row.email,
                "role": lambda row: row.role,
                "until": lambda row: "expired" if row.is_expired else row.expires_at,
                "id": lambda row: row.id,
            },
            nothing="No open invitation.",
        )


@members.command("resend")
def resend(invitation: InvitationArgument, *, as_json: AsJson = False) -> None:
    """Renew an invitation: a new link, good for another seven days."""
    with open_session(as_json=as_json) as session:
        show_invitation(session, session.client.invitations.resend(invitation))


@members.command("revoke")
def revoke(invitation: InvitationArgument, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Make an invitation worthless."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Revoke invitation {invitation}?", yes=yes)
        session.client.invitations.revoke(invitation)
        session.output.say(f"Revoked invitation {invitation}.")


def show_invitation(session: Session, made: NewInvitation) -> None:
    """Print an invitation just made, and its link where it is not mailed."""
    facts = {"invited": made.email, "role": made.role, "until": made.expires_at, "id": made.id, "link": made.link}
    session.output.model(made, facts)
    session.output.say("\nThe link goes to the address by mail." if made.is_mailed else _NOT_KEPT)


def _find_member(session: Session, project: str, email: str) -> str:
    """The id of a member by address or id."""
    for member in session.client.members.iterate(project):
        if email.lower() == member.email or email == member.user_id:
            return member.user_id
    raise NotFound(f"{email} is no member of project {project}.", hint="List them with `towline members`.")


def _role(role: RoleName) -> _Role:
    return role.value
