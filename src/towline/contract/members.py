"""Members of projects, and invitations to a project or to the whole instance."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from towline.contract.base import EmailAddress, Model, Page, PageQuery, Reference, ShortText

Role = Literal["owner", "admin", "developer", "viewer"]
"""The roles in a project, strongest first."""

LinkToken = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{20,128}$", max_length=128)]
"""The last part of a one-time link."""

NewPassword = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
"""A password as it was typed; how strong it must be is said when it is not."""


class Member(Model):
    """A user with a role in a project."""

    user_id: str = Field(description="Id of the user.", examples=["usr_01k9x3v5mdcq2r7s8t9vwxyz01"])
    email: str = Field(description="E-mail address.", examples=["ann@example.com"])
    name: str = Field(default="", description="Name.", examples=["Ann"])
    role: Role = Field(description="What the user may do: owner, admin, developer or viewer.")
    is_owner: bool = Field(description="Whether the project counts as this user's.")
    is_disabled: bool = Field(description="Whether the user cannot sign in at present.")
    joined_at: datetime = Field(description="Since when.")


class MemberList(Page[Member]):
    """Members in the order they joined."""


class MemberAdd(Model):
    """Somebody who becomes a member at once. Whom you share no project with is to be invited instead."""

    user: EmailAddress | Reference = Field(
        description="E-mail address or id of the user.", examples=["ann@example.com"]
    )
    role: Role = Field(description="The role; never one that may do more than you may.")


class MemberUpdate(Model):
    """Another role for a member."""

    role: Role = Field(description="The new role; never one that may do more than you may.")


class ProjectTransfer(Model):
    """Who owns the project from now on; who hands it over stays as an admin."""

    user: Reference = Field(description="Id of another member.")


class InvitationQuery(PageQuery):
    """Which invitations are wanted."""

    project: Reference | None = Field(
        default=None, description="Those to this project (id or name); without it those to the instance."
    )


class InvitationCreate(Model):
    """An invitation to a project (with a role) or to the instance (for administrators), good for seven days, once."""

    email: EmailAddress = Field(description="The only address it is good for.", examples=["ann@example.com"])
    project: Reference | None = Field(default=None, description="Project (id or name); null: only the instance.")
    role: Role | None = Field(default=None, description="Role in the project; never one that may do more than you.")
    is_administrator: bool = Field(
        default=False, description="Whether the user becomes an instance administrator; without a project only."
    )


class Invitation(Model):
    """An open or expired invitation, without its link."""

    id: str = Field(description="Id.", examples=["inv_01k9x3v5mdcq2r7s8t9vwxyz01"])
    email: str = Field(description="The only address it is good for.")
    project_id: str | None = Field(default=None, description="Project it leads to; null: only the instance.")
    role: Role | None = Field(default=None, description="Role in the project.")
    is_administrator: bool = Field(description="Whether the user becomes an instance administrator.")
    invited_by: str = Field(description="Id of the user who invited, and must still be allowed to at acceptance.")
    is_expired: bool = Field(description="Whether it is too old to be accepted.")
    expires_at: datetime = Field(description="Until when it can be accepted.")
    created_at: datetime = Field(description="When it was made.")


class NewInvitation(Invitation):
    """An invitation just made or renewed."""

    is_mailed: bool = Field(description="Whether the link goes to the address by mail.")
    link: str | None = Field(
        default=None,
        description="The link to pass on, shown this once; null when it is mailed.",
        repr=False,
    )


class InvitationList(Page[Invitation]):
    """Invitations that were neither accepted nor revoked, newest first."""


class InvitationLookup(Model):
    """Asks what the link of an invitation is for."""

    token: LinkToken = Field(description="The last part of the link.", repr=False)


class InvitationOffer(Model):
    """What the holder of an invitation's link is offered."""

    email: str = Field(description="The address it is good for.")
    project: str | None = Field(default=None, description="Name of the project.")
    role: Role | None = Field(default=None, description="Role in the project.")
    is_administrator: bool = Field(description="Whether the user becomes an instance administrator.")
    invited_by: str = Field(description="Name or address of who invited.")
    expires_at: datetime = Field(description="Until when it can be accepted.")


class InvitationAccept(Model):
    """Accepts an invitation as a new user; who has an account signs in and joins instead."""

    token: LinkToken = Field(description="The last part of the link.", repr=False)
    name: Annotated[ShortText, Field(min_length=1)] = Field(description="Your name.", examples=["Ann"])
    password: NewPassword = Field(description="The password you choose.", repr=False)


class InvitationJoin(Model):
    """Accepts an invitation as the user who is calling, whose address must be the invited one."""

    token: LinkToken = Field(description="The last part of the link.", repr=False)


class InvitationAccepted(Model):
    """What accepting an invitation led to."""

    user_id: str = Field(description="Id of the user.")
    email: str = Field(description="E-mail address.")
    project_id: str | None = Field(default=None, description="Project the user is a member of now.")
    role: Role | None = Field(default=None, description="Role in it.")
    is_administrator: bool = Field(description="Whether the user is an instance administrator.")
