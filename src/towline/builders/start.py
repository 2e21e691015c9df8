"""How a generated image starts its app: from the settings, a Procfile, or what the project says itself."""

import json
import re
from pathlib import Path
from typing import Final

from towline.builders.manifests import read_manifest
from towline.errors import BuildFailed
from towline.values import BuildSpec

Command = tuple[str, ...]
_QUOTED: Final = r"'[^'\n]*'|\"[^\"`\n]*\""
_SIMPLE: Final = re.compile(
    rf"((?:[A-Za-z_]\w*=(?:{_QUOTED}|[^\s;&|<>()`'\"])*\s+)*)((?!exec\s)[\w./@-](?:{_QUOTED}|[^;&|<>()`'\"\n])*)"
)


def shell_command(line: str) -> Command:
    """A line run by the image's shell; a single command replaces the shell, so that it gets the stop signal."""
    simple = _SIMPLE.fullmatch(line.strip())
    return ("/bin/sh", "-c", f"{simple[1]}exec {simple[2]}" if simple else line.strip())


def given_command(folder: Path, spec: BuildSpec) -> Command | None:
    """The start command of the settings, else the Procfile's `web:` line, else None."""
    if spec.start_command:
        return spec.start_command
    for line in read_manifest(folder, "Procfile").splitlines():
        kind, colon, command = line.partition(":")
        if colon and kind.strip() == "web" and command.strip():
            return shell_command(command)
    return None


def command_line(command: Command) -> str:
    """The CMD instruction in its exec form."""
    return f"CMD {json.dumps(list(command))}"


def no_start_command(looked_for: str) -> BuildFailed:
    """The error of a project that does not say how it starts."""
    return BuildFailed(
        f"The source does not say how it starts: {looked_for} was not found.",
        hint="Set a start command, or add a Procfile with a line such as `web: python main.py`.",
    )
