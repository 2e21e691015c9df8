"""Writes the reference pages that follow from the code: `python docs/generate.py`; with `--check` only compares."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from towline.actions.access import INSTANCE_PERMISSIONS, PERMISSION_MEANINGS, ROLE_PERMISSIONS, Permission
from towline.cli.app import make_app
from towline.client.problems import all_error_classes
from towline.config import Settings
from towline.errors import TowlineError, code_of

_FOLDER = Path(__file__).parent / "reference"
_NOTE = "<!-- Written by docs/generate.py from the code; change it there. -->"


def make_pages() -> dict[Path, str]:
    """Every generated page by its place."""
    return {
        _FOLDER / "cli.md": _page("The command line", _cli_lines()),
        _FOLDER / "errors.md": _page("Errors", _error_lines()),
        _FOLDER / "roles.md": _page("Roles", _role_lines()),
        _FOLDER / "settings.md": _page("Settings", _setting_lines()),
    }


def main() -> int:
    """Write the pages, or with `--check` name those that are out of date; the exit code."""
    pages = make_pages()
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(f"{path.name} is out of date: run `python docs/generate.py`.\n")
        return 1 if stale else 0
    _FOLDER.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(pages[path])
    return 0


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([f"# {title}", "", _NOTE, "", *lines]).rstrip() + "\n"


def _cli_lines() -> Iterator[str]:
    yield "Every command takes `--help`, and `--json` for one JSON document on standard output (logs and events: one"
    yield "per line). Errors go to standard error as `Error: …` and `Try: …`, with `--json` as one JSON object."
    yield "Colours and the progress line appear on a terminal only; `NO_COLOR` turns colours off."
    yield ""
    yield "Which server is used: `TOWLINE_URL` and `TOWLINE_API_KEY`, else the one of `towline login`, else the"
    yield "installation of this machine. A deployed folder remembers its project in `.towline/project.json`."
    yield "Completion: `towline --install-completion`."
    yield from ("", "## Exit codes", "", "| code | meaning |", "|---|---|", "| 0 | done |")
    yield from _exit_code_rows()
    yield "| 130 | stopped by the user |"
    group: Any = typer.main.get_command(make_app())
    yield from _command_lines(group, "towline")


def _exit_code_rows() -> Iterator[str]:
    codes: dict[int, list[str]] = {}
    for kind in _error_classes():
        codes.setdefault(kind.exit_code, []).append(code_of(kind))
    for code, names in sorted(codes.items()):
        note = ", or the command line was wrong" if code == 2 else ""
        yield f"| {code} | {', '.join(f'`{name}`' for name in names)}{note} |"


def _command_lines(command: Any, name: str) -> Iterator[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    if name != "towline":
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        yield from ("", f"## {name}", "", (command.help or "").replace("\n\n", "\n").strip(), "", f"    {usage}")
        rows = list(_parameter_rows(command, context))
        if rows:
            yield from ("", "| | |", "|---|---|", *rows)
    for child in getattr(command, "commands", {}).values():
        yield from _command_lines(child, f"{name} {child.name}")


def _parameter_rows(command: Any, context: Any) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or "--help" in parameter.opts:
            continue
        label, text = (_cell(part) for part in record)
        yield f"| `{label}` | {text} |"


def _error_lines() -> Iterator[str]:
    yield "An error of the API is `application/problem+json` (RFC 9457) with these codes; `hint` is the next thing to"
    yield "try. The command line exits with the exit code."
    yield from ("", "| code | status | exit code | again? | what happened | hint |", "|---|---|---|---|---|---|")
    for kind in _error_classes():
        again = "yes" if kind.retryable else "no"
        fact = _cell((kind.__doc__ or "").partition("\n\n")[0])
        yield f"| `{code_of(kind)}` | {kind.status} | {kind.exit_code} | {again} | {fact} | {_cell(kind.hint)} |"


def _role_lines() -> Iterator[str]:
    yield "What each role in a project may do. A role has what the roles below it have; nobody gives a role that may do"
    yield "more than they may. The permissions are also the scopes of API keys."
    roles = list(ROLE_PERMISSIONS)
    yield from ("", f"| permission | {' | '.join(roles)} | means |", f"|---|{'---|' * len(roles)}---|")
    for permission in Permission:
        if permission not in INSTANCE_PERMISSIONS:
            marks = ["yes" if permission in ROLE_PERMISSIONS[role] else "" for role in roles]
            yield f"| `{permission}` | {' | '.join(marks)} | {PERMISSION_MEANINGS[permission]} |"
    yield from ("", "Two permissions are not of a project:", "", "| permission | who has it | means |", "|---|---|---|")
    yield f"| `create_projects` | every user | {PERMISSION_MEANINGS[Permission.CREATE_PROJECTS]} |"
    yield f"| `administer` | instance administrators | {PERMISSION_MEANINGS[Permission.ADMINISTER]} |"
    yield ""
    yield "Instance administrators hold every permission in every project."


def _setting_lines() -> Iterator[str]:
    yield "Environment variables. `towline up` keeps those it was given once; durations are seconds or ISO 8601"
    yield "(`PT30S`), sizes are bytes."
    yield from ("", "| variable | default | meaning |", "|---|---|---|")
    for name, field in Settings.model_fields.items():
        yield f"| `TOWLINE_{name.upper()}` | {_default(field)} | {_cell(field.description or '')} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is PydanticUndefined or str(value) == "":
        return ""
    if isinstance(value, timedelta):
        return f"`{value.total_seconds():g}`"
    return f"`{value}`"


def _error_classes() -> list[type[TowlineError]]:
    return [kind for kind in all_error_classes() if kind.__module__ == TowlineError.__module__]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
