"""Entry point: the platform's own processes first, with as few imports as possible, then the command line."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import cast

from towline.supervise.leash import tie_to_supervisor

_INTERNAL = {
    "api": "towline.web.serve:main",
    "worker": "towline.worker:main",
    "migrate": "towline.supervise.migrate:main",
    "setup-link": "towline.web.setup:main",
    "docker": "towline.supervise.docker_engine:main",
    "supervise": "towline.supervise.run:run_platform",
    "databases": "towline.supervise.run:run_databases",
}
_TIED = {"api", "worker", "migrate"}


def main() -> int:
    """Run `towline internal DOOR …` or the command line; the exit code."""
    match sys.argv[1:]:
        case ["internal", door, *arguments] if door in _INTERNAL:
            if door in _TIED:
                tie_to_supervisor()
            return _load(_INTERNAL[door])(arguments)
        case _:
            return _load("towline.cli.app:main")(sys.argv[1:])


def _load(entry: str) -> Callable[[Sequence[str]], int]:
    module, _, name = entry.partition(":")
    return cast("Callable[[Sequence[str]], int]", getattr(import_module(module), name))


if __name__ == "__main__":
    sys.exit(main())
