"""The caller's own account: name, address and password, each change with the proof it needs."""

from towline.actions.address_change import change_address
from towline.actions.audit import record
from towline.actions.credentials import Credential, check_recent_proof
from towline.actions.limits import count_confirmation, forgive
from towline.actions.platform import Platform
from towline.actions.sessions import NewSession, end_sessions, rotate_session
from towline.actions.tickets import withdraw_user_tickets
from towline.errors import Conflict, Forbidden, InvalidInput
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.base import utc_now


async def update_account(
    platform: Platform, credential: Credential, *, name: str | None, email: str | None, password: str
) -> User:
    """Change the caller's name, and address (at once, or once it is confirmed: see `change_address`).

    Another address needs the password, or a fresh proof where there is none; InvalidInput for a wrong one.
    """
    user = await _get_user(platform, credential)
    is_moving = email is not None and email != user.email
    if is_moving:
        await _check_proof(platform, credential, user, password=password, field="password")
    async with platform.database.transaction() as work:
        user = await work.session.get_one(User, credential.caller.user_id, with_for_update=True)
        before = {"name": user.name, "email": user.email}
        has_moved = not is_moving or await change_address(platform, work, user, email=email or "")
        user.name = user.name if name is None else name
        after = {"name": user.name, "email": user.email}
        detail = {} if has_moved else {"asked_email": email}
        record(work, credential.caller, "account.update", object_id=user.id, detail=detail, before=before, after=after)
    return user


async def change_password(platform: Platform, credential: Credential, *, current: str, new: str) -> NewSession | None:
    """Set the caller's password, given the present one; all other sessions end, and the caller's gets another value.

    Who has none yet needs a fresh proof, or an API key that may do everything (such as the server's own).
    """
    user = await _get_user(platform, credential)
    await _check_proof(platform, credential, user, password=current, field="current_password")
    if current and current == new:
        raise InvalidInput("The new password is the present one.", field="new_password")
    password_hash = await make_password_hash(platform, new, words=(user.email, user.name), field="new_password")
    async with platform.database.transaction() as work:
        was, user = user.password_hash, await work.session.get_one(User, user.id, with_for_update=True)
        if user.password_hash != was:
            raise Conflict("The password was changed at the same time.")
        await store_password(platform, work, user, password_hash, keep_session_id=credential.caller.session_id)
        record(work, credential.caller, "account.changePassword", object_id=user.id)
        session_id = credential.caller.session_id
        return await rotate_session(work, session_id, is_proof=True) if session_id else None


async def confirm(platform: Platform, credential: Credential, *, password: str) -> NewSession:
    """Prove by the password that it is still the same person; the session gets another value."""
    if not credential.caller.session_id:
        raise Forbidden("Only a session can be confirmed.", hint="Sign in on the sign-in page.")
    user = await _get_user(platform, credential)
    await _check_password(platform, user, password, field="password")
    async with platform.database.transaction() as work:
        record(work, credential.caller, "sessions.confirm", object_id=credential.caller.session_id)
        return await rotate_session(work, credential.caller.session_id, is_proof=True)


def check_unlimited(credential: Credential) -> None:
    """Return for sessions, and for API keys that may do all their user may; Forbidden for limited ones.

    What belongs to the user as a person, such as the account and its sessions, is no limited key's concern.
    """
    if credential.caller.scopes is not None or credential.caller.project_id is not None:
        raise Forbidden("A limited API key cannot deal with the account.", hint="Sign in, or use a key without limits.")


async def make_password_hash(platform: Platform, password: str, *, words: tuple[str, ...], field: str) -> str:
    """The hash of a password someone chose; InvalidInput for a weak one. Not inside a transaction: it takes long."""
    await platform.passwords.check_strength(password, words=words, field=field)
    return await platform.passwords.hash(password)


async def store_password(
    platform: Platform, work: Work, user: User, password_hash: str, *, keep_session_id: str = ""
) -> None:
    """Give a user another password: every session but one ends, and no ticket of theirs works any more."""
    user.password_hash, user.password_changed_at = password_hash, utc_now()
    await end_sessions(platform, work, user_id=user.id, except_id=keep_session_id)
    await withdraw_user_tickets(work, user_id=user.id)


async def _check_proof(platform: Platform, credential: Credential, user: User, *, password: str, field: str) -> None:
    if user.password_hash:
        await _check_password(platform, user, password, field=field)
    elif credential.caller.session_id:
        check_recent_proof(credential)


async def _check_password(platform: Platform, user: User, password: str, *, field: str) -> None:
    attempt = await count_confirmation(platform, user.id)
    if not await platform.passwords.verify(user.password_hash, password):
        raise InvalidInput("The password is wrong.", hint="Type the password you have now.", field=field)
    await forgive(platform, attempt)


async def _get_user(platform: Platform, credential: Credential) -> User:
    check_unlimited(credential)
    async with platform.database.transaction() as work:
        return await work.session.get_one(User, credential.caller.user_id)
