"""People of the dashboard's browser tests: accounts made by invitation, signed in by the page."""

import secrets
from dataclasses import dataclass

from playwright.sync_api import Page
from tests.running import RunningTowline

from towline.client.connection import Call
from towline.contract.members import InvitationAccept, InvitationAccepted, InvitationCreate, NewInvitation


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody's address and password."""

    email: str
    password: str


def add_user(towline: RunningTowline, email: str = "", /, **invited: object) -> Account:
    """A new user, with what the invitation says (a project and a role, or administration)."""
    email, password = email or f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(24)
    connection = towline.client.connection
    wanted = InvitationCreate.model_validate({"email": email, **invited})
    made = connection.send(Call("invitations.create", body=wanted), NewInvitation)
    assert made.link is not None
    accepted = InvitationAccept(token=made.link.rpartition("/")[2], name="Ann", password=password)
    connection.send(Call("invitations.accept", body=accepted), InvitationAccepted)
    return Account(email, password)


def sign_in(page: Page, url: str, account: Account, path: str = "/") -> None:
    """Sign in by the form, and go on to a page."""
    page.goto(f"{url}/sign-in?next={path}")
    page.get_by_label("E-mail address").fill(account.email)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(url + path)
