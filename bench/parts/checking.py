"""How long it takes inside a request to find who calls and whether they may, measured beside a running Towline."""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvloop
from bench.parts.report import Figure, Result, Run, in_words, result
from fastapi import FastAPI, Request
from sqlalchemy import literal, select
from tests.running import RunningTowline

from towline.actions.keys import add_key
from towline.actions.platform import Platform
from towline.actions.sessions import open_session
from towline.actions.users import create_user
from towline.config import Settings
from towline.contract.operations import Operation
from towline.contract.routes.table import OPERATIONS
from towline.infra.reads import Read
from towline.supervise.layout import Layout
from towline.supervise.postgres import postgres_url
from towline.supervise.valkey import valkey_url
from towline.web.access import admit
from towline.web.app import create_app
from towline.web.auth import authenticate_for
from towline.web.deps import Call
from towline.wiring import open_platform

ACCESS_CHECK = Figure("access_check_ms", "ms", 0.4)
_BARE: Read = Read(select(literal(1)))
_WARM_UP = 50


def measure_access_check(run: Run, towline: RunningTowline) -> Result:
    """The time of authenticating and admitting a request, by an API key and by a session; the worse median."""
    run.tell("the check of keys and sessions")
    times, bare = uvloop.run(_measure(towline, rounds=300 if run.is_quick else 2000))
    medians = {name: statistics.median(samples) for name, samples in times.items()}
    shown = ", ".join(f"{name} {value:.3f} ms" for name, value in medians.items())
    worst = max(medians, key=lambda name: medians[name])
    reference = f"a bare SELECT 1 by the same pool: {in_words(bare, unit='ms')}; {shown}"
    return result(ACCESS_CHECK, times[worst], reference=reference)


@asynccontextmanager
async def open_beside(towline: RunningTowline) -> AsyncGenerator[Platform]:
    """A platform in this process on the databases of a Towline that runs."""
    layout = Layout(towline.folder)
    settings = Settings.model_validate(
        {
            "data_dir": towline.folder,
            "database_url": postgres_url(layout.sockets / "postgres"),
            "redis_url": valkey_url(layout.sockets / "valkey" / "valkey.sock"),
        }
    )
    async with open_platform(settings) as platform:
        yield platform


async def _measure(towline: RunningTowline, *, rounds: int) -> tuple[dict[str, list[float]], list[float]]:
    async with open_beside(towline) as platform:
        app = create_app(platform)
        operation = next(item for item in OPERATIONS if item.id == "projects.list")
        tokens = await _make_tokens(platform)
        times = {name: list[float]() for name in tokens}
        bare: list[float] = []
        for number in range(rounds + _WARM_UP):
            for name, token in tokens.items():
                taken = await _check(platform, app, operation, token)
                if number >= _WARM_UP:
                    times[name].append(1000 * taken)
            began_at = time.perf_counter()
            await _BARE.fetch(platform.database)
            bare.append(1000 * (time.perf_counter() - began_at))
        await app.state.use_notes.close()
        return times, bare


async def _check(platform: Platform, app: FastAPI, operation: Operation, token: str) -> float:
    request = _request(app, token)
    began_at = time.perf_counter()
    credential = await authenticate_for(operation, request)
    call = Call(platform, operation, request, credential)
    await admit(call)
    taken = time.perf_counter() - began_at
    assert call.is_checked
    assert credential.caller.user_id
    await asyncio.sleep(0)
    return taken


async def _make_tokens(platform: Platform) -> dict[str, str]:
    async with platform.database.transaction() as work:
        user = await create_user(work, email=f"{secrets.token_hex(6)}@example.com")
        key = await add_key(work, user.id, name="bench")
        opened = await open_session(
            platform, work, user_id=user.id, method="password", device="bench", address="127.0.0.1"
        )
    return {"key": key.value, "session": opened.value}


def _request(app: FastAPI, token: str) -> Request:
    headers = [(b"host", b"towline.localhost"), (b"authorization", f"Bearer {token}".encode())]
    return Request(
        {
            "type": "http",
            "app": app,
            "method": "GET",
            "scheme": "http",
            "path": "/api/v1/projects",
            "query_string": b"",
            "headers": headers,
            "path_params": {},
            "client": ("127.0.0.1", 4711),
            "server": ("127.0.0.1", 80),
        }
    )
