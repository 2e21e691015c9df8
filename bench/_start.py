"""Starts a bench program with the checkout importable and with the Python that has Towline's packages."""

import os
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def start(name: str) -> None:
    """Run `bench/programs/NAME.py` as the main program."""
    python = _ROOT / ".venv" / "bin" / "python"
    if find_spec("towline") is None:
        if not python.exists() or Path(sys.prefix) == python.parent.parent:
            sys.exit("Towline's packages are not installed here: run ./test fast once.")
        os.execv(python, [str(python), *sys.argv])
    sys.path[0] = str(_ROOT)
    runpy.run_module(f"bench.programs.{name}", run_name="__main__")
