"""The command line: all commands, and how their errors are shown."""

import json
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from typer.completion import get_completion_inspect_parameters
from typer.core import TyperGroup
from typer.main import get_group

from towline import __version__
from towline.cli import (
    account,
    audit,
    backups,
    connections,
    deploy,
    deployments,
    domains,
    environments,
    git,
    group,
    hooks,
    keys,
    lifecycle,
    login,
    logs,
    machine,
    members,
    metrics,
    notifications,
    own_account,
    previews,
    project_file,
    projects,
    providers,
    releases,
    runs,
    secrets,
    services,
    status,
    templates,
    users,
    variable_views,
    volumes,
)
from towline.cli.output import has_colours
from towline.contract.faults import fault_text
from towline.errors import InvalidInput, TowlineError

_INTERRUPTED: Final = 130

_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "up": machine.up,
    "down": machine.down,
    "uninstall": machine.uninstall,
    "doctor": machine.doctor,
    "deploy": deploy.deploy,
    "plan": project_file.plan,
    "apply": project_file.apply,
    "export": project_file.export,
    "status": status.status,
    "logs": logs.logs,
    "rollback": releases.rollback,
    "run": runs.run,
    "scale": lifecycle.scale,
    "restart": lifecycle.restart,
    "stop": lifecycle.stop,
    "start": lifecycle.start,
    "cancel": deployments.cancel,
    "open": account.open_page,
    "health": status.show_health,
    "uptime": metrics.uptime,
    "metrics": metrics.metrics,
    "git-remote": git.git_remote,
    "git-credential": git.git_credential,
    "login": login.login,
    "logout": login.logout,
    "config": account.config,
    "events": account.events,
}
_NOUNS: Final = (
    projects.projects,
    services.services,
    environments.environments,
    deployments.deployments,
    group.group,
    releases.releases,
    runs.runs,
    variable_views.variables,
    connections.connections,
    hooks.hooks,
    notifications.notifications,
    previews.previews,
    templates.templates,
    backups.backups,
    volumes.volumes,
    domains.domains,
    members.members,
    users.users,
    own_account.account,
    keys.keys,
    keys.registries,
    providers.providers,
    audit.audit,
    secrets.secrets,
    secrets.webhooks,
)


def make_app(wanted: str = "") -> typer.Typer:
    """The whole command line; or, since that takes long to build, only the command or noun that is wanted."""
    app = typer.Typer(
        name="towline",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name, command in _COMMANDS.items():
        if wanted in {"", name}:
            app.command(name)(command)
    for noun in _NOUNS:
        if wanted in {"", noun.info.name}:
            app.add_typer(noun)
    return app


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code (see docs/reference/cli.md)."""
    try:
        result: object = _command_for(arguments).main(list(arguments), prog_name="towline", standalone_mode=False)
    except TowlineError as error:
        return _show_error(error, is_json="--json" in arguments)
    except ValidationError as error:
        return _show_error(_invalid(error), is_json="--json" in arguments)
    except typer.TyperException as error:
        usage = InvalidInput(error.format_message(), hint=f"Run `{_help_command(arguments)}`.")
        return _show_error(usage, is_json="--json" in arguments)
    except typer.Abort:
        typer.echo("Stopped.", err=True)
        return _INTERRUPTED
    return result if isinstance(result, int) else 0


def _command_for(arguments: Sequence[str]) -> TyperGroup:
    first = next(iter(arguments), "")
    is_known = first in _COMMANDS or any(noun.info.name == first for noun in _NOUNS)
    return _built(first if is_known else "")


@cache
def _built(wanted: str) -> TyperGroup:
    get_completion_inspect_parameters()  # makes the shells known, as Typer does where it builds the command itself
    return get_group(make_app(wanted))


def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version of this client.")] = False,
) -> None:
    """Deploy anything to your own machines."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _show_error(error: TowlineError, *, is_json: bool) -> int:
    if is_json:
        fields = {"code": error.code, "message": error.message, "hint": error.hint, "field": error.field}
        typer.echo(json.dumps({"error": fields}), err=True)
        return error.exit_code
    label = typer.style("Error:", fg="red", bold=True) if has_colours(sys.stderr) else "Error:"
    typer.echo(f"{label} {error.message}", err=True)
    typer.echo(f"Try: {error.hint}", err=True)
    return error.exit_code


def _invalid(error: ValidationError) -> InvalidInput:
    """What pydantic found wrong with the command's values, before they were sent."""
    faults = [f"{'.'.join(str(part) for part in item['loc'])}: {fault_text(item)}" for item in error.errors()]
    return InvalidInput(f"{'; '.join(faults)}.", hint="Correct the named values.")


def _help_command(arguments: Sequence[str]) -> str:
    """The help of the command at the beginning of the command line, or of all commands."""
    nouns = {str(noun.info.name) for noun in _NOUNS}
    known = [word for word in arguments[:1] if word in nouns or word in _COMMANDS]
    return " ".join(["towline", *known, "--help"])
