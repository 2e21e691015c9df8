"""How git is run for pushes and fetches: its whole environment and every setting; nothing else is read."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from towline.storage.base import GitCall
from towline.storage.repositories import hook

# Messages of `git fsck` about harmless slips in the history of well-known repositories.
_HARMLESS: Final = ("zeroPaddedFilemode", "missingSpaceBeforeDate", "badTimezone", "badDateOverflow", "gitmodulesUrl")
_MOST_PACKS: Final = 10
UNREACHABLE_KEPT: Final = "1.day.ago"
"""Not less: the quarantine of a push that is on its way is pruned by the same rule."""

HOOK_SCRIPT: Final = '#!/bin/sh\nexec "$TOWLINE_PYTHON" -I "$TOWLINE_HOOK"\n'


def git_command(repository: Path, *arguments: str, hooks: Path, max_bytes: int) -> Sequence[str]:
    """One git command with the settings of every repository here."""
    settings = {
        "core.attributesFile": "/dev/null",
        "core.fsmonitor": "false",
        "core.hooksPath": str(hooks),
        "gc.autoDetach": "false",
        "gc.autoPackLimit": str(_MOST_PACKS),
        "gc.pruneExpire": UNREACHABLE_KEPT,
        "http.getanyfile": "false",
        "http.receivepack": "true",
        "http.uploadpack": "true",
        "maintenance.auto": "false",
        "pack.threads": "1",
        "pack.windowMemory": "64m",
        "receive.advertisePushOptions": "false",
        "receive.autogc": "false",
        "receive.maxInputSize": str(max_bytes),
        # Packs go to the disk as they come; loose objects would pass through memory.
        "receive.unpackLimit": "1",
        "safe.directory": str(repository),
        "transfer.fsckObjects": "true",
        **{f"receive.fsck.{message}": "ignore" for message in _HARMLESS},
    }
    return ["git", *(part for key, value in settings.items() for part in ("-c", f"{key}={value}")), *arguments]


def git_environment(folder: Path) -> dict[str, str]:
    """The environment of every git command: no configuration but ours, no question, one language."""
    return {
        "PATH": os.environ.get("PATH") or os.defpath,
        "HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def call_environment(folder: Path, name: str, call: GitCall, *, gate: int) -> Mapping[str, str]:
    """That of `git http-backend`, a CGI program (RFC 3875): it gets nothing as it was sent but what is listed here."""
    path = "info/refs" if call.is_listing else call.service
    return {
        **git_environment(folder),
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": call.protocol if call.protocol in {"version=0", "version=1", "version=2"} else "",
        "PATH_INFO": f"/{name}.git/{path}",
        "REQUEST_METHOD": "GET" if call.is_listing else "POST",
        "QUERY_STRING": f"service={call.service}" if call.is_listing else "",
        "CONTENT_TYPE": "" if call.is_listing else f"application/x-{call.service}-request",
        "HTTP_CONTENT_ENCODING": "gzip" if call.content_encoding.lower() in {"gzip", "x-gzip"} else "",
        "REMOTE_USER": "towline",
        "TOWLINE_PYTHON": sys.executable,
        "TOWLINE_HOOK": hook.__file__,
        "TOWLINE_GATE": str(gate),
    }
