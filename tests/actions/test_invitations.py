"""Invitations against a model of them: one address, one role, once, in time, and only while the inviter may invite."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select, update
from tests.stand_ins import stand_in_platform

from towline.actions.access import Caller
from towline.actions.invitations import accept_as_user, find_invitation, invite_to_project, revoke_invitation
from towline.actions.projects import create_project
from towline.errors import TowlineError
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.members import Invitation
from towline.models.projects import Project, ProjectCollaborator
from towline.names import new_id

T = TypeVar("T")
ASCENDING = ("viewer", "developer", "admin", "owner")
INVITERS = ("ann", "bob", "eve")
GUESTS = ("guy", "kim")
roles = st.sampled_from(ASCENDING)


@dataclass
class Known:
    """What the model knows of one invitation."""

    id: str
    token: str
    email: str
    role: str
    inviter: str
    is_open: bool = True
    is_expired: bool = False


class Invitations(RuleBasedStateMachine):
    """One project, three who may invite to it or not, two who are invited."""

    postgres_url: str
    redis_url: str
    folder: Path

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.context = stand_in_platform(self.folder, postgres_url=self.postgres_url, redis_url=self.redis_url)
        self.platform = self.run(self.context.__aenter__())
        self.users: dict[str, User] = {}
        self.members: dict[str, str] = {"ann": "owner", "bob": "admin", "eve": "developer"}
        self.known: list[Known] = []
        self.project: Project = self.run(self._begin())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _begin(self) -> Project:
        mark = new_id("x")
        async with self.platform.database.transaction() as work:
            for name in (*INVITERS, *GUESTS):
                self.users[name] = User(id=new_id("usr"), email=f"{name}.{mark}@example.com")
                work.session.add(self.users[name])
            await work.session.flush()
            project = await create_project(self.platform, work, self.caller("ann"), name=mark.replace("_", "-")[:38])
            for name in ("bob", "eve"):
                role = self.members[name]
                work.session.add(ProjectCollaborator(project_id=project.id, user_id=self.users[name].id, role=role))
        return project

    def caller(self, name: str) -> Caller:
        return Caller(user_id=self.users[name].id)

    def may_invite(self, name: str, role: str) -> bool:
        own = self.members.get(name)
        return own in {"admin", "owner"} and ASCENDING.index(role) <= ASCENDING.index(own)

    @rule(target=made, inviter=st.sampled_from(INVITERS), guest=st.sampled_from(GUESTS), role=roles)
    def invite(self, inviter: str, guest: str, role: str) -> Known | None:
        email = self.users[guest].email
        is_pending = any(one.email == email and one.is_open and not one.is_expired for one in self.known)
        is_expected = self.may_invite(inviter, role) and guest not in self.members and not is_pending
        made = self.run(self._invite(inviter, email, role))
        assert (made is not None) == is_expected
        if made is not None:
            self.known.append(made)
        return made

    @rule(invitation=made)
    def expire(self, invitation: Known | None) -> None:
        if invitation is not None:
            self.run(self._set(invitation, expires_at=utc_now() - timedelta(seconds=1)))
            invitation.is_expired = True

    @rule(invitation=made, by=st.sampled_from(INVITERS))
    def revoke(self, invitation: Known | None, by: str) -> None:
        if invitation is None:
            return
        is_expected = invitation.is_open and self.may_invite(by, invitation.role)
        assert self.run(self._revoke(invitation, by)) == is_expected
        invitation.is_open = invitation.is_open and not is_expected

    @rule(guest=st.sampled_from(GUESTS), role=st.none() | roles)
    def lose_the_right_meanwhile(self, guest: str, role: str | None) -> None:
        """The same as several rules in a row, which chance alone would seldom bring together."""
        self.guest_goes(guest)
        self.change_inviter("bob", "admin")
        made = self.invite("bob", guest, "developer")
        self.change_inviter("bob", role)
        self.accept(made, guest)

    @rule(name=st.sampled_from(("bob", "eve")), role=st.none() | roles)
    def change_inviter(self, name: str, role: str | None) -> None:
        self.run(self._set_role(name, role))
        self.members.pop(name, None)
        if role is not None:
            self.members[name] = role

    @rule(guest=st.sampled_from(GUESTS))
    def guest_goes(self, guest: str) -> None:
        self.run(self._set_role(guest, None))
        self.members.pop(guest, None)

    @rule(invitation=made, guest=st.sampled_from((None, None, "guy", "bob")))
    def accept(self, invitation: Known | None, guest: str | None) -> None:
        if invitation is None:
            return
        guest = guest or next(name for name in GUESTS if self.users[name].email == invitation.email)
        is_expected = (
            invitation.is_open
            and not invitation.is_expired
            and invitation.email == self.users[guest].email
            and self.may_invite(invitation.inviter, invitation.role)
        )
        assert self.run(self._accept(invitation, guest)) == is_expected
        if is_expected:
            invitation.is_open = False
            self.members[guest] = invitation.role

    @invariant()
    def members_are_those_of_the_model(self) -> None:
        names = {user.id: name for name, user in self.users.items()}
        found = {names[user_id]: role for user_id, role in self.run(self._read_members())}
        assert found == self.members

    def teardown(self) -> None:
        self.run(self.context.__aexit__(None, None, None))
        self.runner.close()

    async def _invite(self, inviter: str, email: str, role: str) -> Known | None:
        try:
            async with self.platform.database.transaction() as work:
                new = await invite_to_project(
                    self.platform, work, self.caller(inviter), self.project, email=email, role=role
                )
        except TowlineError:
            return None
        return Known(new.invitation.id, new.link.rpartition("/")[2], email, role, inviter)

    async def _revoke(self, invitation: Known, by: str) -> bool:
        try:
            async with self.platform.database.transaction() as work:
                row = await find_invitation(work.session, invitation.id)
                if row is None:
                    return False
                await revoke_invitation(work, self.caller(by), row)
        except TowlineError:
            return False
        return True

    async def _accept(self, invitation: Known, guest: str) -> bool:
        try:
            async with self.platform.database.transaction() as work:
                await accept_as_user(self.platform, work, self.caller(guest), invitation.token)
        except TowlineError:
            return False
        return True

    async def _set(self, invitation: Known, **values: Any) -> None:
        async with self.platform.database.transaction() as work:
            await work.session.execute(update(Invitation).where(Invitation.id == invitation.id).values(**values))

    async def _set_role(self, name: str, role: str | None) -> None:
        user_id, project_id = self.users[name].id, self.project.id
        mine = (ProjectCollaborator.project_id == project_id, ProjectCollaborator.user_id == user_id)
        async with self.platform.database.transaction() as work:
            await work.session.execute(delete(ProjectCollaborator).where(*mine))
            if role is not None:
                work.session.add(ProjectCollaborator(project_id=project_id, user_id=user_id, role=role))

    async def _read_members(self) -> list[tuple[str, str]]:
        query = select(ProjectCollaborator.user_id, ProjectCollaborator.role)
        async with self.platform.database.transaction() as work:
            rows = await work.session.execute(query.where(ProjectCollaborator.project_id == self.project.id))
            return [(user_id, role) for user_id, role in rows]


def test_invitations_do_what_the_model_of_them_says(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    parts: dict[str, Any] = {"postgres_url": postgres_url, "redis_url": redis_url, "folder": tmp_path}
    machine = type("InvitationsHere", (Invitations,), parts)
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=checks),
    )
