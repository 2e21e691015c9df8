"""Entry point: the platform's own processes first, with as few imports as possible, then the command line."""

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from towline.supervise.leash import tie_to_supervisor

_FORKED = {
    "migrate": "towline.supervise.migrate:main",
    "api": "towline.web.serve:main",
    "worker": "towline.worker:main",
}
"""Parts the supervisor forks from itself, so that they share what is loaded; each can also be run by itself."""

_OTHERS = {
    "setup-link": "towline.web.setup:main",
    "docker": "towline.supervise.docker_engine:main",
    "databases": "towline.supervise.run:run_databases",
}


def main() -> int:
    """Run `towline internal DOOR …` or the command line; the exit code."""
    match sys.argv[1:]:
        case ["internal", "supervise", *arguments]:
            doors = {name: partial(_load, entry) for name, entry in _FORKED.items()}
            return _load("towline.supervise.run:run_platform")(arguments, doors)
        case ["internal", door, *arguments] if door in _FORKED:
            tie_to_supervisor()
            return _load(_FORKED[door])(arguments)
        case ["internal", door, *arguments] if door in _OTHERS:
            return _load(_OTHERS[door])(arguments)
        case arguments:
            return _load("towline.cli.app:main")(arguments)


def _load(entry: str) -> Callable[..., Any]:
    module, _, name = entry.partition(":")
    return getattr(import_module(module), name)


if __name__ == "__main__":
    sys.exit(main())
