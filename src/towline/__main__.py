"""Entry point: the platform's own processes first, with as few imports as possible, then the command line."""

import gc
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import cast

from towline.supervise.leash import tie_to_supervisor

_SUPERVISED = {
    "migrate": "towline.supervise.migrate:main",
    "server": "towline.server:main",
    "api": "towline.web.serve:main",
    "worker": "towline.worker:main",
}
_OTHERS = {
    "supervise": "towline.supervise.run:run_platform",
    "databases": "towline.supervise.run:run_databases",
    "docker": "towline.supervise.docker_engine:main",
}


def main() -> int:
    """Run `towline internal DOOR …` or the command line; the exit code."""
    match sys.argv[1:]:
        case ["internal", door, *arguments] if door in _SUPERVISED:
            tie_to_supervisor()
            return _load(_SUPERVISED[door])(arguments)
        case ["internal", door, *arguments] if door in _OTHERS:
            return _load(_OTHERS[door])(arguments)
        case arguments:
            return _load("towline.cli.app:main")(arguments)


def _load(entry: str) -> Callable[[Sequence[str]], int]:
    module, _, name = entry.partition(":")
    gc.disable()  # modules stay: looking for garbage among them while they are loaded takes a tenth of the time
    try:
        return cast("Callable[[Sequence[str]], int]", getattr(import_module(module), name))
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
