"""Processes that a killed supervisor left behind, when nobody is to adopt them."""

import os
import signal
import time
from contextlib import suppress

from towline.errors import TimedOut
from towline.supervise.identity import ProcessIdentity, find_running_record, is_running
from towline.supervise.layout import Layout

_PATIENCE_SECONDS = 40.0
_STOP_SIGNALS = {"postgres": signal.SIGINT}  # fast shutdown; SIGTERM would wait for sessions to end


def end_leftovers(layout: Layout) -> bool:
    """End every recorded process of a data folder, those that use the database first; whether there were any.

    Raises TimedOut naming a process that does not end.
    """
    found = False
    records = {path.stem: find_running_record(path) for path in sorted(layout.run.glob("*.pid"))}
    for name in sorted(records, key=lambda name: name in {"postgres", "valkey"}):
        record = records[name]
        if record is not None:
            found = True
            _end(record.identity, name=name)
        layout.pid_file(name).unlink(missing_ok=True)
    return found


def _end(identity: ProcessIdentity, *, name: str) -> None:
    with suppress(ProcessLookupError):
        os.kill(identity.process_id, _STOP_SIGNALS.get(name, signal.SIGTERM))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while is_running(identity):
        if time.monotonic() > deadline:
            raise TimedOut(
                f"{name} (process {identity.process_id}) does not end.",
                hint=f"End it with `kill -9 {identity.process_id}`; Towline repairs itself at the next start.",
            )
        time.sleep(0.02)
