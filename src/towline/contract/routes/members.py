"""Operations of members, invitations, users and password resets."""

from typing import Final

from towline.contract.base import PageQuery
from towline.contract.members import (
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
from towline.contract.operations import Operation, create, delete, read, update
from towline.contract.users import (
    MailTest,
    MailTested,
    NewUser,
    PasswordLink,
    PasswordResetAsk,
    PasswordResetAsked,
    PasswordResetDone,
    PasswordResetFinish,
    User,
    UserCreate,
    UserList,
    UserQuery,
    UserUpdate,
)

_MEMBERS: Final = "/projects/{project}/members"

_PROJECT_MEMBERS: Final = (
    read(
        "members.list",
        _MEMBERS,
        needs="view_projects",
        gives=MemberList,
        query=PageQuery,
        summary="List members of a project",
    ),
    create(
        "members.add",
        _MEMBERS,
        needs="manage_collaborators",
        takes=MemberAdd,
        gives=Member,
        summary="Make a user you share a project with a member at once",
    ),
    update(
        "members.update",
        f"{_MEMBERS}/{{user}}",
        needs="manage_collaborators",
        takes=MemberUpdate,
        gives=Member,
        summary="Give a member another role",
    ),
    delete(
        "members.remove",
        f"{_MEMBERS}/{{user}}",
        needs="manage_collaborators",
        summary="Remove a member; their keys of the project stop at once",
    ),
    delete("members.leave", "/projects/{project}/membership", needs="view_projects", summary="Leave a project"),
    Operation(
        "members.transfer",
        "POST",
        "/projects/{project}/transfer",
        "Hand a project over to another member",
        "manage_project",
        request=ProjectTransfer,
        response=Member,
    ),
)
_INVITATIONS: Final = (
    read(
        "invitations.list",
        "/invitations",
        needs="manage_collaborators",
        gives=InvitationList,
        query=InvitationQuery,
        summary="List open invitations to a project, or (administrators) to the instance",
    ),
    create(
        "invitations.create",
        "/invitations",
        needs="manage_collaborators",
        takes=InvitationCreate,
        gives=NewInvitation,
        summary="Invite somebody to a project, or (administrators) to the instance",
    ),
    Operation(
        "invitations.resend",
        "POST",
        "/invitations/{invitation}/resend",
        "Renew an invitation: a new link, good for another seven days",
        "manage_collaborators",
        response=NewInvitation,
    ),
    delete(
        "invitations.revoke", "/invitations/{invitation}", needs="manage_collaborators", summary="Revoke an invitation"
    ),
    Operation(
        "invitations.lookup",
        "POST",
        "/invitations/lookup",
        "Show what an invitation's link is for",
        "anyone",
        request=InvitationLookup,
        response=InvitationOffer,
    ),
    create(
        "invitations.accept",
        "/invitations/accept",
        needs="anyone",
        takes=InvitationAccept,
        gives=InvitationAccepted,
        summary="Accept an invitation as a new user, who is signed in by it",
    ),
    Operation(
        "invitations.join",
        "POST",
        "/invitations/join",
        "Accept an invitation as the user who is calling",
        "signed_in",
        request=InvitationJoin,
        response=InvitationAccepted,
    ),
)
_USERS: Final = (
    read("users.list", "/users", needs="administer", gives=UserList, query=UserQuery, summary="List users"),
    create(
        "users.create",
        "/users",
        needs="administer",
        takes=UserCreate,
        gives=NewUser,
        summary="Create a user, with a one-time link to choose a password",
    ),
    read("users.get", "/users/{user}", needs="administer", gives=User, summary="Show a user"),
    update(
        "users.update",
        "/users/{user}",
        needs="administer",
        takes=UserUpdate,
        gives=User,
        summary="Disable, enable or rename a user, or make it an administrator",
    ),
    Operation(
        "users.resetPassword",
        "POST",
        "/users/{user}/password-reset",
        "Make a one-time link by which a user chooses a new password",
        "administer",
        response=PasswordLink,
        status=201,
    ),
)
_RESETS: Final = (
    Operation(
        "passwordReset.ask",
        "POST",
        "/password-reset",
        "Ask for a mail with a link to choose a new password; the answer is the same for every address",
        "anyone",
        request=PasswordResetAsk,
        response=PasswordResetAsked,
        status=202,
    ),
    Operation(
        "passwordReset.finish",
        "POST",
        "/password-reset/finish",
        "Choose a new password by a one-time link; all sessions of the user end",
        "anyone",
        request=PasswordResetFinish,
        response=PasswordResetDone,
    ),
    Operation(
        "mail.test",
        "POST",
        "/mail/test",
        "Send a test mail and tell what the mail server said",
        "administer",
        request=MailTest,
        response=MailTested,
    ),
)

MEMBER_OPERATIONS: Final[tuple[Operation, ...]] = (*_PROJECT_MEMBERS, *_INVITATIONS, *_USERS, *_RESETS)
