"""The few commands that stand-in instances know."""

import asyncio
from collections.abc import Sequence

from towline.errors import TimedOut


async def run_known(command: Sequence[str], *, timeout_seconds: float) -> tuple[int, str]:
    """Exit code and output of a command; any other than these four is not found (127)."""
    match command:
        case ["true"]:
            return 0, ""
        case ["false"]:
            return 1, ""
        case ["echo", *words]:
            return 0, " ".join(words) + "\n"
        case ["sleep", seconds]:
            return await _sleep(float(seconds), timeout_seconds=timeout_seconds)
        case _:
            return 127, f"{command[0]}: not found\n"


async def _sleep(seconds: float, *, timeout_seconds: float) -> tuple[int, str]:
    await asyncio.sleep(min(seconds, timeout_seconds))
    if seconds > timeout_seconds:
        raise TimedOut(f"The command 'sleep' took longer than {timeout_seconds:g} s.")
    return 0, ""
