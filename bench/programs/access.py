"""Measures that signing in takes as long for unknown users as for wrong passwords, and what a check of access costs."""

import asyncio
import http.client
import json
import statistics
import time
from collections.abc import Sequence
from itertools import count

from bench.parts.checking import ACCESS_CHECK, measure_access_check, open_beside
from bench.parts.report import Figure, Result, Run, in_words, result, run_program
from tests.running import RunningTowline, running_towline

from towline.actions.users import create_user
from towline.supervise.installation import get_installation
from towline.supervise.layout import Layout

DIFFERENCE = Figure("sign_in_difference_percent", "%", 5)
FIGURES = (DIFFERENCE, ACCESS_CHECK)

_TRIES_OF_ACCOUNT = 8
_addresses = count(1)


def measure(run: Run) -> Sequence[Result]:
    """Sign-ins that fail, in turns, each from an address of its own; then the check of keys and sessions."""
    with running_towline() as towline:
        return (_measure_difference(run, towline), measure_access_check(run, towline))


def _measure_difference(run: Run, towline: RunningTowline) -> Result:
    tries = 60 if run.is_quick else 200
    accounts = -(-tries // _TRIES_OF_ACCOUNT)
    known = [f"known-{number}@example.com" for number in range(accounts)]
    unknown = [f"nobody-{number}@example.com" for number in range(accounts)]
    asyncio.run(_add_users(towline, known))
    port = get_installation(Layout(towline.folder)).ports.api
    run.tell(f"{tries} sign-ins each of unknown users and with wrong passwords")
    seconds: dict[str, list[float]] = {"unknown": [], "wrong": []}
    _sign_in(port, "warm-up@example.com")
    for number in range(tries):
        place = number // _TRIES_OF_ACCOUNT
        turns = [("unknown", unknown[place]), ("wrong", known[place])]
        for name, email in turns if number % 2 else reversed(turns):
            seconds[name].append(_sign_in(port, email))
    medians = {name: statistics.median(samples) for name, samples in seconds.items()}
    difference = 100 * abs(medians["unknown"] - medians["wrong"]) / min(medians.values())
    samples = [100 * abs(one - other) / min(one, other) for one, other in zip(*seconds.values(), strict=True)]
    shown = {name: in_words([1000 * item for item in taken], unit="ms") for name, taken in seconds.items()}
    reference = f"unknown user {shown['unknown']}, wrong password {shown['wrong']}"
    return result(DIFFERENCE, samples, value=difference, reference=reference)


def _sign_in(port: int, email: str) -> float:
    """The seconds until a sign-in is refused."""
    number = next(_addresses)
    body = json.dumps({"email": email, "password": "certainly not the password"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json", "X-Forwarded-For": f"10.1.{number // 250}.{number % 250}"}
    began_at = time.perf_counter()
    connection.request("POST", "/api/v1/sessions", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    taken = time.perf_counter() - began_at
    connection.close()
    assert answer.status == 401, content
    return taken


async def _add_users(towline: RunningTowline, emails: Sequence[str]) -> None:
    async with open_beside(towline) as platform:
        password_hash = await platform.passwords.hash("seven lazy tugboats")
        async with platform.database.transaction() as work:
            for email in emails:
                await create_user(work, email=email, password_hash=password_hash)


if __name__ == "__main__":
    run_program("access", FIGURES, measure)
