"""HTTP: users of the instance, for its administrators, and the test of its mail server."""

from towline.actions.audit import record
from towline.actions.granting import check_unlimited
from towline.actions.mail import send_test_mail
from towline.actions.users import (
    create_user,
    disable_user,
    enable_user,
    get_user,
    list_users,
    make_password_link,
    set_administrator,
)
from towline.contract.users import (
    MailTest,
    MailTested,
    NewUser,
    PasswordLink,
    User,
    UserCreate,
    UserList,
    UserQuery,
    UserUpdate,
)
from towline.models.accounts import User as UserRow
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("users.list")
async def list_(call: Call, query: UserQuery) -> UserList:
    """Users by address."""
    key = decode_cursor(query.cursor, str, str)
    after = (str(key[0]), str(key[1])) if key is not None else None
    found = await list_users(call.session, email=query.email, after=after, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return UserList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("users.create")
async def create(call: Call, body: UserCreate) -> NewUser:
    """A user made at once, with the link to choose a password."""
    if body.is_administrator:
        check_unlimited(call.caller)
    user = await create_user(call.work, email=body.email, name=body.name, is_administrator=body.is_administrator)
    made = await make_password_link(call.platform, call.work, user)
    call.note(user.id, email=user.email, is_administrator=user.is_administrator)
    return NewUser(**_shown(user).model_dump(), link=made.link, link_expires_at=made.expires_at)


@router.operation("users.get")
async def get(call: Call) -> User:
    """One user."""
    return _shown(await get_user(call.session, call.path["user"]))


@router.operation("users.update")
async def update(call: Call, body: UserUpdate) -> User:
    """Change a user; fields left out stay as they are."""
    user = await get_user(call.session, call.path["user"])
    if body.name is not None:
        user.name = body.name
    if body.is_administrator:
        check_unlimited(call.caller)
    if body.is_administrator is not None:
        await set_administrator(
            call.platform,
            call.work,
            user,
            is_administrator=body.is_administrator,
            keep_session_id=call.caller.session_id,
        )
    if body.is_disabled is not None:
        await (disable_user if body.is_disabled else enable_user)(call.platform, call.work, user)
    call.note(user.id, **body.model_dump(exclude_none=True))
    return _shown(user)


@router.operation("users.resetPassword")
async def reset_password(call: Call) -> PasswordLink:
    """A one-time link by which the user chooses a new password."""
    check_unlimited(call.caller)
    user = await get_user(call.session, call.path["user"])
    made = await make_password_link(call.platform, call.work, user)
    call.note(user.id)
    return PasswordLink(user_id=user.id, email=user.email, link=made.link, expires_at=made.expires_at)


@router.operation("mail.test", holds_transaction=False)
async def test(call: Call, body: MailTest) -> MailTested:
    """Send a test mail and tell what the server said."""
    recipient = body.to or call.caller.email
    async with call.platform.database.transaction() as work:
        record(work, call.caller, "mail.test", detail={"to": recipient})
    server, answer = await send_test_mail(call.platform, recipient=recipient)
    return MailTested(to=recipient, server=str(server), answer=answer)


def _shown(user: UserRow) -> User:
    return User(
        id=user.id,
        email=user.email,
        name=user.name,
        is_administrator=user.is_administrator,
        is_disabled=user.disabled_at is not None,
        created_at=user.created_at,
    )


def _key(user: UserRow) -> tuple[str, str]:
    return (user.email, user.id)
