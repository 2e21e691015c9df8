"""Uploads through the HTTP door, on a real server: resumed, verified, and not to be had by their digest alone."""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator

import httpx2
import pytest
from tests.web.door import Person
from tests.web.serving import Served, serving, wait_until

from towline.actions.platform import Platform
from towline.contract.uploads import UPLOAD_MEDIA_TYPE, UPLOAD_OFFSET_HEADER, Upload

CONTENT = os.urandom(5_000_000)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
PATH = f"/projects/shop/uploads/{DIGEST}"


@pytest.fixture
async def served(platform: Platform) -> AsyncGenerator[Served]:
    """The application on a real server."""
    async with serving(platform) as served:
        yield served


async def test_an_archive_arrives_in_pieces_and_can_then_be_deployed(served: Served) -> None:
    announced = await _announce(served.owner)
    assert (announced.offset, announced.is_complete) == (0, False)
    half = await _send(served.owner, CONTENT[:2_000_000], 0)
    assert (half.offset, half.is_complete) == (2_000_000, False)
    assert Upload.model_validate(await served.owner.get(PATH)) == half
    whole = await _send(served.owner, CONTENT[2_000_000:], 2_000_000)
    assert (whole.offset, whole.is_complete) == (len(CONTENT), True)
    assert (await _announce(served.owner)).is_complete
    deploy = "/projects/shop/services/web/deploy"
    assert (await served.owner.post(deploy, {"upload": DIGEST}))["ref"] == DIGEST


async def test_a_wrong_offset_is_told_the_right_one(served: Served) -> None:
    await _announce(served.owner)
    await _send(served.owner, CONTENT[:1000], 0)
    answer = await _patch(served.owner, CONTENT, 7)
    assert (answer.status_code, answer.headers[UPLOAD_OFFSET_HEADER]) == (409, "1000")
    assert answer.json()["code"] == "wrong-offset"


async def test_what_came_before_the_connection_was_lost_is_kept(served: Served) -> None:
    await _announce(served.owner)
    head = (
        f"PATCH /api/v1{PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.owner.token}\r\n"
        f"Content-Type: {UPLOAD_MEDIA_TYPE}\r\n{UPLOAD_OFFSET_HEADER}: 0\r\nContent-Length: {len(CONTENT)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(head.encode() + CONTENT[:3_000_000])
    await writer.drain()

    async def is_stored() -> bool:
        return (await served.owner.get(PATH))["offset"] == 3_000_000

    await wait_until(is_stored)
    writer.close()
    await writer.wait_closed()
    state = Upload.model_validate(await served.owner.get(PATH))

    async def is_taken() -> bool:
        answer = await _patch(served.owner, CONTENT[state.offset :], state.offset)
        return answer.status_code == 200 and answer.json()["is_complete"]

    await wait_until(is_taken)


async def test_wrong_bytes_are_thrown_away(served: Served) -> None:
    await _announce(served.owner)
    answer = await _patch(served.owner, bytes(len(CONTENT)), 0)
    assert (answer.status_code, answer.json()["field"]) == (422, "digest")
    assert (await _announce(served.owner)).offset == 0


async def test_another_project_must_send_the_archive_itself(served: Served) -> None:
    await _announce(served.owner)
    await _send(served.owner, CONTENT, 0)
    stranger = await served.add_person()
    await stranger.post("/projects", {"name": "theirs"})
    await stranger.post("/projects/theirs/services", {"name": "web"})
    announced = await stranger.post("/projects/theirs/uploads", {"digest": DIGEST, "size": len(CONTENT)})
    assert (announced["offset"], announced["is_complete"]) == (0, False)
    deploy = await stranger.call("POST", "/projects/theirs/services/web/deploy", json={"upload": DIGEST})
    assert deploy.status_code == 422
    path = f"/projects/theirs/uploads/{DIGEST}"
    assert (await _patch(stranger, bytes(len(CONTENT)), 0, path=path)).status_code == 422
    assert (await _patch(stranger, CONTENT, 0, path=path)).json()["is_complete"] is True
    assert Upload.model_validate(await served.owner.get(PATH)).is_complete


async def test_what_is_too_large_or_out_of_form_is_refused(served: Served) -> None:
    too_large = {"digest": DIGEST, "size": served.platform.settings.upload_max_bytes + 1}
    assert (await served.owner.call("POST", "/projects/shop/uploads", json=too_large)).status_code == 413
    assert (await _patch(served.owner, b"x", 0)).status_code == 404
    await _announce(served.owner, size=10)
    assert (await _patch(served.owner, CONTENT[:11], 0)).status_code == 413
    for offset in ("", "-1", "x", "1" * 30):
        headers = {"Content-Type": UPLOAD_MEDIA_TYPE, UPLOAD_OFFSET_HEADER: offset}
        answer = await served.owner.call("PATCH", PATH, content=b"x", headers=headers)
        assert answer.status_code == 422
    assert (await served.owner.call("PATCH", PATH, content=b"x")).status_code == 422
    assert (await served.owner.call("GET", "/projects/shop/uploads/sha256:..")).status_code == 404


async def _announce(person: Person, *, size: int = len(CONTENT)) -> Upload:
    return Upload.model_validate(await person.post("/projects/shop/uploads", {"digest": DIGEST, "size": size}))


async def _send(person: Person, content: bytes, offset: int) -> Upload:
    answer = await _patch(person, content, offset)
    assert answer.status_code == 200, answer.text
    assert answer.headers[UPLOAD_OFFSET_HEADER] == str(offset + len(content))
    return Upload.model_validate(answer.json())


async def _patch(person: Person, content: bytes, offset: int, *, path: str = PATH) -> httpx2.Response:
    headers = {"Content-Type": UPLOAD_MEDIA_TYPE, UPLOAD_OFFSET_HEADER: str(offset)}
    return await person.call("PATCH", path, content=_chunks(content), headers=headers)


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]
