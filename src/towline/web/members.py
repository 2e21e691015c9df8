"""HTTP: members of a project."""

from datetime import datetime

from towline.actions.members import (
    Member,
    add_member,
    change_role,
    leave_project,
    list_members,
    remove_member,
    transfer_project,
)
from towline.contract.base import PageQuery
from towline.contract.members import Member as MemberModel
from towline.contract.members import MemberAdd, MemberList, MemberUpdate, ProjectTransfer
from towline.web.cursors import decode_cursor, decode_time, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("members.list")
async def list_(call: Call, query: PageQuery) -> MemberList:
    """Members of the project, in the order they joined."""
    key = decode_cursor(query.cursor, str, str)
    after = (decode_time(key[0]), str(key[1])) if key is not None else None
    found = await list_members(call.session, call.project.id, after=after, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return MemberList(items=[_shown(call, member) for member in page["items"]], next_cursor=page["next_cursor"])


@router.operation("members.add")
async def add(call: Call, body: MemberAdd) -> MemberModel:
    """Make a user a member at once."""
    member = await add_member(call.platform, call.work, call.caller, call.project, reference=body.user, role=body.role)
    call.note(member.user.id, role=member.role)
    return _shown(call, member)


@router.operation("members.update")
async def update(call: Call, body: MemberUpdate) -> MemberModel:
    """Give a member another role."""
    user_id = call.path["user"]
    member = await change_role(call.platform, call.work, call.caller, call.project, user_id=user_id, role=body.role)
    call.note(user_id, role=member.role)
    return _shown(call, member)


@router.operation("members.remove")
async def remove(call: Call) -> None:
    """Remove a member."""
    member = await remove_member(call.platform, call.work, call.caller, call.project, user_id=call.path["user"])
    call.note(member.user.id, role=member.role)


@router.operation("members.leave")
async def leave(call: Call) -> None:
    """Leave the project."""
    member = await leave_project(call.platform, call.work, call.caller, call.project)
    call.note(member.user.id, role=member.role)


@router.operation("members.transfer")
async def transfer(call: Call, body: ProjectTransfer) -> MemberModel:
    """Hand the project over to another member."""
    was = call.project.owner_id
    member = await transfer_project(call.platform, call.work, call.caller, call.project, user_id=body.user)
    call.note(call.project.id, owner=member.user.id, was=was)
    return _shown(call, member)


def _shown(call: Call, member: Member) -> MemberModel:
    return MemberModel.model_validate(
        {
            "user_id": member.user.id,
            "email": member.user.email,
            "name": member.user.name,
            "role": member.role,
            "is_owner": member.user.id == call.project.owner_id,
            "is_disabled": member.user.disabled_at is not None,
            "joined_at": member.joined_at,
        }
    )


def _key(member: Member) -> tuple[datetime, str]:
    return (member.joined_at, member.user.id)
