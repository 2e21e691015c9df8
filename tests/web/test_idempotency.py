"""The same request with the same Idempotency-Key is done once and answered alike."""

import asyncio
from datetime import timedelta

from sqlalchemy import delete, func, select, update
from tests.web.door import Door

from towline.models.base import utc_now
from towline.models.history import IdempotentAnswer
from towline.models.projects import Project, ProjectCollaborator

_KEY = {"Idempotency-Key": "one"}


async def test_a_repetition_gets_the_first_answer_and_does_nothing(door: Door) -> None:
    ann = await door.add_person()
    first = await ann.call("POST", "/projects", json={"name": "shop"}, headers=_KEY)
    again = await ann.call("POST", "/projects", json={"name": "shop"}, headers=_KEY)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


async def test_a_deletion_can_be_repeated_although_the_object_is_gone(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    statuses = [(await ann.call("DELETE", "/projects/shop", headers=_KEY)).status_code for _ in range(3)]
    assert statuses == [204, 204, 204]


async def test_the_same_key_for_another_request_is_a_conflict(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"}, headers=_KEY)
    answer = await ann.call("POST", "/projects", json={"name": "other"}, headers=_KEY)
    assert answer.status_code == 409
    assert (await ann.call("GET", "/projects/other")).status_code == 404


async def test_keys_of_different_callers_do_not_meet(door: Door) -> None:
    ann, bob = await door.add_person(), await door.add_person()
    await ann.post("/projects", {"name": "a"}, headers=_KEY)
    assert (await bob.post("/projects", {"name": "b"}, headers=_KEY))["name"] == "b"


async def test_a_refused_request_keeps_nothing_and_may_be_sent_again(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    assert (await ann.call("POST", "/projects", json={"name": "shop"}, headers=_KEY)).status_code == 409
    await ann.delete("/projects/shop")
    assert (await ann.call("POST", "/projects", json={"name": "shop"}, headers=_KEY)).status_code == 201


async def test_ten_at_once_do_it_once(door: Door) -> None:
    ann = await door.add_person()
    sent = [ann.call("POST", "/projects", json={"name": "shop"}, headers=_KEY) for _ in range(10)]
    answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    async with door.platform.database.transaction() as work:
        assert await work.session.scalar(select(func.count()).select_from(Project)) == 1


async def test_a_kept_secret_is_sealed(door: Door) -> None:
    ann = await door.add_person()
    made = await ann.post("/keys", {"name": "ci"}, headers=_KEY)
    assert (await ann.post("/keys", {"name": "ci"}, headers=_KEY)) == made
    async with door.platform.database.transaction() as work:
        bodies = list(await work.session.scalars(select(IdempotentAnswer.body)))
    assert len(bodies) == 1
    assert made["value"].encode() not in bodies[0]


async def test_nothing_kept_lets_a_password_in_the_request_be_guessed(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"}, headers=_KEY)
    body = {"host": "r.example.com", "username": "ann", "password": "hunter2", "project": "shop"}
    two = {"Idempotency-Key": "two"}
    made = await ann.post("/registries", body, headers=two)
    assert await ann.post("/registries", body, headers=two) == made
    guessed = await ann.call("POST", "/registries", json={**body, "password": "hunter3"}, headers=two)
    assert guessed.status_code == 409
    async with door.platform.database.transaction() as work:
        rows = (await work.session.scalars(select(IdempotentAnswer))).all()
    assert {row.request_hash for row in rows} == {""}


async def test_a_key_is_forgotten_after_a_day(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"}, headers=_KEY)
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(IdempotentAnswer).values(created_at=utc_now() - timedelta(hours=25)))
    assert (await ann.post("/projects", {"name": "other"}, headers=_KEY))["name"] == "other"


async def test_a_key_of_odd_characters_is_refused(door: Door) -> None:
    ann = await door.add_person()
    headers = {"Idempotency-Key": "x" * 129}
    answer = await ann.call("POST", "/projects", json={"name": "shop"}, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


async def test_who_has_lost_the_right_does_not_get_the_answer_again(door: Door) -> None:
    ann = await door.add_person()
    project = await ann.post("/projects", {"name": "shop"})
    await ann.post("/projects/shop/services", {"name": "api", "source": {"type": "custom"}})
    admin = await door.add_member(project["id"], "admin")
    image = {"project": "shop", "service": "api", "image": "app:1"}
    sent: tuple[tuple[str, str, dict[str, str] | None], ...] = (
        ("POST", "/projects/shop/services/api/webhook-secrets", {}),
        ("POST", "/deployments", image),
        ("DELETE", "/projects/shop/services/api", None),
    )
    headers = [{"Idempotency-Key": f"key-{number}"} for number in range(len(sent))]

    async def send_all() -> list[int]:
        calls = [
            admin.call(method, path, json=body, headers=key)
            for (method, path, body), key in zip(sent, headers, strict=True)
        ]
        return [(await call).status_code for call in calls]

    async def set_role(role: str | None) -> None:
        of_admin = ProjectCollaborator.user_id == admin.user_id
        async with door.platform.database.transaction() as work:
            change = delete(ProjectCollaborator) if role is None else update(ProjectCollaborator).values(role=role)
            await work.session.execute(change.where(of_admin))

    first = await send_all()
    assert first == [201, 202, 204]
    assert await send_all() == first
    await set_role("viewer")
    assert await send_all() == [403, 403, 403]
    await set_role(None)
    assert await send_all() == [404, 404, 404]


async def test_a_key_that_may_do_less_than_another_of_its_user_does_not_get_that_ones_answer(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"}, headers=_KEY)
    narrow = await door.add_key(ann.user_id, scopes=["view_projects"])
    assert (await narrow.call("POST", "/projects", json={"name": "shop"}, headers=_KEY)).status_code == 403
