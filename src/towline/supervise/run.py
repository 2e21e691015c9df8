"""The supervisor's own process: `python -m towline internal supervise` (and `databases`, for tests and restores)."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from towline.errors import TowlineError
from towline.infra.wishes import WISHABLE
from towline.supervise.databases import prepare_databases
from towline.supervise.engine_api import Engine, find_engine_host
from towline.supervise.installation import code_stamp, grant_wishes
from towline.supervise.layout import Layout
from towline.supervise.lock import take_lock
from towline.supervise.platform_parts import platform_parts, platform_settings, prepare_traefik
from towline.supervise.reporter import Reporter
from towline.supervise.status import Status, write_status
from towline.supervise.supervisor import Plan, Supervisor


class _Options(argparse.Namespace):
    data: Path
    leash: int
    foreground: bool


def run_platform(arguments: Sequence[str]) -> int:
    """Run everything `towline up` has put down for a data folder."""
    return _supervise_locked(_read_options(arguments), _platform_supervisor)


def run_databases(arguments: Sequence[str]) -> int:
    """Run PostgreSQL and Valkey alone for a data folder; their URLs are in its status file."""
    return _supervise_locked(_read_options(arguments), _databases_supervisor)


def _platform_supervisor(layout: Layout, options: _Options) -> Supervisor:
    installation, code = grant_wishes(layout), code_stamp()
    reporter = Reporter(layout.log_file("supervisor"), has_terminal=options.foreground)
    databases = prepare_databases(layout, installation.settings)
    internal_address = installation.settings.get("TOWLINE_INTERNAL_ADDRESS") or _find_internal_address(reporter)
    settings = platform_settings(layout, installation, databases, internal_address=internal_address)
    parts = list(databases.parts)
    if installation.has_traefik:
        parts.append(prepare_traefik(layout, installation, settings=settings))
    parts += platform_parts(layout, installation, settings=settings)

    def grant() -> Plan:
        """Nothing that can be wished for is in the configuration of the databases or of Traefik.

        What else was changed since is left to the `towline up` that changed it.
        """
        kept = grant_wishes(layout).settings
        wishable = {name: kept[name] for name in WISHABLE if name in kept}
        granted = replace(installation, settings={**installation.settings, **wishable})
        changed = platform_settings(layout, granted, databases, internal_address=internal_address)
        return Plan(platform_parts(layout, granted, settings=changed), granted.fingerprint_of(code))

    return Supervisor(
        layout,
        parts,
        fingerprint=installation.fingerprint_of(code),
        leash=options.leash,
        grant=grant,
        reporter=reporter,
    )


def _databases_supervisor(layout: Layout, options: _Options) -> Supervisor:
    databases = prepare_databases(layout, {})
    urls = {"database": databases.database_url, "redis": databases.redis_url}
    reporter = Reporter(layout.log_file("supervisor"), has_terminal=options.foreground)
    return Supervisor(layout, databases.parts, urls=urls, leash=options.leash, reporter=reporter)


def _supervise_locked(options: _Options, prepare: Callable[[Layout, _Options], Supervisor]) -> int:
    """Take the data folder for this process and run; a refusal also goes into the status file, for `towline up`."""
    os.umask(0o022)
    layout = Layout(options.data.absolute())
    try:
        layout.prepare()
        take_lock(layout.lock_file)
    except TowlineError as error:
        return _refuse(error)
    try:
        supervisor = prepare(layout, options)
    except TowlineError as error:
        write_status(layout.status_file, Status(os.getpid(), "", problem=error.message, hint=error.hint))
        return _refuse(error)
    supervisor.run()
    sys.stderr.flush()
    os._exit(0)  # taking a hundred megabytes of modules apart would take a second


def _find_internal_address(reporter: Reporter) -> str:
    address = Engine(find_engine_host()).find_bridge_gateway()
    if not address:
        reporter.warn("Docker's bridge was not found: calls between services by their internal address will not work.")
    return address


def _refuse(error: TowlineError) -> int:
    sys.stderr.write(f"Error: {error.message}\nTry: {error.hint}\n")
    return error.exit_code


def _read_options(arguments: Sequence[str]) -> _Options:
    parser = argparse.ArgumentParser(prog="towline internal")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--leash", type=int, default=0, help="process whose end stops everything")
    parser.add_argument("--foreground", action="store_true", help="show trouble on the terminal too")
    return parser.parse_args(arguments, namespace=_Options())
