"""Operations of signing in, set-up, the account and its sessions."""

from typing import Final

from towline.contract.account import Account, AccountUpdate, EmailConfirm, PasswordChange, SetupComplete, SetupLink
from towline.contract.base import PageQuery
from towline.contract.operations import Operation, create, delete, read, update
from towline.contract.sessions import Renewed, SessionConfirm, SessionList, SessionsEnded, SignIn, SignInResult

SIGN_IN_OPERATIONS: Final = (
    create(
        "setup.complete",
        "/setup",
        needs="anyone",
        takes=SetupComplete,
        gives=SignInResult,
        summary="Become the first administrator by the one-time set-up link",
    ),
    Operation(
        "setup.createLink",
        "POST",
        "/setup/link",
        "Make the one-time set-up link anew, as long as none was used",
        "administer",
        response=SetupLink,
    ),
    create("sessions.create", "/sessions", needs="anyone", takes=SignIn, gives=SignInResult, summary="Sign in"),
    read(
        "sessions.list",
        "/sessions",
        needs="signed_in",
        gives=SessionList,
        query=PageQuery,
        summary="List the caller's sessions",
    ),
    delete("sessions.delete", "/sessions/{session}", needs="signed_in", summary="End one of the caller's sessions"),
    Operation(
        "sessions.deleteOthers",
        "POST",
        "/sessions/end-others",
        "End all of the caller's sessions but that of the call",
        "signed_in",
        response=SessionsEnded,
    ),
    delete("sessions.end", "/session", needs="signed_in", summary="Sign out: end the session of the call"),
    Operation(
        "sessions.confirm",
        "POST",
        "/session/confirm",
        "Prove by the password that it is still the same person",
        "signed_in",
        request=SessionConfirm,
        response=Renewed,
    ),
    update(
        "account.update",
        "/account",
        needs="signed_in",
        takes=AccountUpdate,
        gives=Account,
        summary="Change the caller's name or address",
    ),
    Operation(
        "account.confirmEmail",
        "POST",
        "/account/email",
        "Confirm another address by the link that was sent to it",
        "signed_in",
        request=EmailConfirm,
        response=Account,
    ),
    Operation(
        "account.changePassword",
        "POST",
        "/account/password",
        "Change the caller's password; other sessions end",
        "signed_in",
        request=PasswordChange,
        response=Renewed,
    ),
)
