"""The supervisor's own process: `python -m towline internal supervise` (and `databases`, for tests and restores)."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from towline.errors import TowlineError
from towline.supervise.databases import prepare_databases
from towline.supervise.layout import Layout
from towline.supervise.lock import take_lock
from towline.supervise.status import Status, write_status
from towline.supervise.supervisor import Supervisor


def run_databases(arguments: Sequence[str]) -> int:
    """Run PostgreSQL and Valkey alone for a data folder; their URLs are in its status file."""
    options = _read_options(arguments)
    layout = Layout(options.data.absolute())

    def supervise() -> None:
        databases = prepare_databases(layout, {})
        urls = {"database": databases.database_url, "redis": databases.redis_url}
        Supervisor(layout, databases.parts, urls=urls, leash=options.leash, report=report).run()

    return supervise_locked(layout, supervise)


def supervise_locked(layout: Layout, supervise: Callable[[], None]) -> int:
    """Take the data folder for this process and run; a refusal is written into the status file for `towline up`."""
    os.umask(0o022)
    try:
        layout.prepare()
        take_lock(layout.lock_file)
    except TowlineError as error:
        return _refuse(error)
    try:
        supervise()
    except TowlineError as error:
        write_status(layout.status_file, Status(os.getpid(), "", problem=error.message, hint=error.hint))
        return _refuse(error)
    return 0


def report(line: str) -> None:
    """Write a dated line to the supervisor's log."""
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
    sys.stderr.flush()


def _refuse(error: TowlineError) -> int:
    report(f"Error: {error.message} Try: {error.hint}")
    return error.exit_code


class _Options(argparse.Namespace):
    data: Path
    leash: int


def _read_options(arguments: Sequence[str]) -> _Options:
    parser = argparse.ArgumentParser(prog="towline internal")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--leash", type=int, default=0, help="process whose end stops everything")
    return parser.parse_args(arguments, namespace=_Options())
