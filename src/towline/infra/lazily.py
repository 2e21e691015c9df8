"""Libraries that are needed only now and then, loaded when they are first used."""

import importlib
from types import ModuleType


def load(module_name: str) -> ModuleType:
    """A module, imported now.

    All processes of Towline together stay below 200 MB; what costs more than about 1 MB and serves few requests is
    not held from the start.
    """
    return importlib.import_module(module_name)
