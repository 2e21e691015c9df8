"""`towline hooks`: repositories that deploy when they are pushed to."""

from typing import Annotated, Any

import typer

from towline.cli.options import AsJson, Limit, ProjectOption, Yes
from towline.cli.output import Output
from towline.cli.session import open_session
from towline.contract.base import PageQuery
from towline.contract.hooks import HookCreate, HookRule, HookUpdate, NewHook
from towline.errors import InvalidInput

hooks = typer.Typer(name="hooks", help="Hooks: repositories that deploy when they are pushed to.")

_Hook = Annotated[str, typer.Argument(metavar="HOOK", help="Id of the hook, from `towline hooks list`.")]
_Rules = Annotated[
    list[str] | None,
    typer.Option("--rule", metavar="BRANCH=ENVIRONMENT", help="May be repeated; `tag:v*=production` for tags."),
]


@hooks.command("list")
def list_hooks(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List connected repositories."""
    with open_session(as_json=as_json) as session:
        found = session.client.hooks.list(session.project(project))
        session.output.models(
            found.items,
            {
                "id": lambda row: row.id,
                "repository": lambda row: row.repository,
                "sender": lambda row: row.source,
                "rules": lambda row: ", ".join(_shown(rule) for rule in row.rules) or "each service's own branch",
                "applies": lambda row: row.project_file or "",
                "webhook": lambda row: row.registration_error or row.registration.replace("_", " "),
                "not told": lambda row: row.report_problem,
                "url": lambda row: row.url,
            },
            nothing="No repository is connected; `towline hooks create` connects one.",
        )


@hooks.command("create")
def create_hook(
    source: Annotated[str, typer.Argument(metavar="SENDER", help="github, gitlab, gitea, bitbucket or git.")],
    repository: Annotated[str, typer.Argument(metavar="URL", help="Address of the repository.")],
    *,
    rule: _Rules = None,
    apply: Annotated[
        str | None,
        typer.Option("--apply", metavar="PATH", help="Project file that pushes apply first, such as towline.yaml."),
    ] = None,
    register: Annotated[
        bool,
        typer.Option("--register/--no-register", help="Make the webhook there where a connection reaches it."),
    ] = True,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Connect a repository: every service that is built from it is deployed when it is pushed to."""
    given: dict[str, Any] = {"source": source, "repository": repository, "rules": [_rule(text) for text in rule or ()]}
    given |= {"project_file": apply, "registers": register}
    with open_session(as_json=as_json) as session:
        _show_new(
            session.output, session.client.hooks.create(session.project(project), HookCreate.model_validate(given))
        )


@hooks.command("rules")
def set_rules(hook: _Hook, *, rule: _Rules = None, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Set which branches and tags go to which environment; without --rule each service's own branch to production."""
    change = HookUpdate(rules=[_rule(text) for text in rule or ()])
    with open_session(as_json=as_json) as session:
        changed = session.client.hooks.update(session.project(project), hook, change)
        session.output.model(changed, {"hook": changed.id, "rules": [_shown(one) for one in changed.rules]})


@hooks.command("apply")
def set_project_file(
    hook: _Hook,
    path: Annotated[str | None, typer.Argument(metavar="PATH", help="Path of the file in the repository.")] = None,
    *,
    off: Annotated[bool, typer.Option("--off", help="Apply no file any more.")] = False,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Let pushes to production's branch apply the project file of the repository before they deploy."""
    if off == (path is not None):
        raise InvalidInput("Name the file, such as towline.yaml, or give --off.", field="path")
    with open_session(as_json=as_json) as session:
        changed = session.client.hooks.update(session.project(project), hook, HookUpdate(project_file=path))
        session.output.model(changed, {"hook": changed.id, "applies": changed.project_file or "nothing"})


@hooks.command("rotate")
def rotate_secret(hook: _Hook, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Make a new secret; the one before stays valid for a day."""
    with open_session(as_json=as_json) as session:
        _show_new(session.output, session.client.hooks.rotate(session.project(project), hook))


@hooks.command("delete")
def delete_hook(hook: _Hook, *, project: ProjectOption = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Disconnect a repository."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Disconnect {hook}? Pushes deploy nothing then.", yes=yes)
        session.client.hooks.delete(session.project(project), hook)
        session.output.say(f"Disconnected {hook}.")


@hooks.command("deliveries")
def list_deliveries(hook: _Hook, *, project: ProjectOption = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List what a repository told, and what became of it."""
    with open_session(as_json=as_json) as session:
        found = session.client.hooks.list_deliveries(session.project(project), hook, PageQuery(limit=limit))
        session.output.models(
            found.items,
            {
                "id": lambda row: row.id,
                "what": lambda row: row.kind,
                "ref": lambda row: row.ref,
                "who": lambda row: row.sender,
                "status": lambda row: row.status,
                "": lambda row: row.reason or ", ".join(row.deployments),
                "came": lambda row: row.created_at,
            },
            nothing="Nothing came yet.",
        )


@hooks.command("replay")
def replay_delivery(
    hook: _Hook,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id of the delivery.")],
    *,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Do what a delivery asked for once more."""
    with open_session(as_json=as_json) as session:
        again = session.client.hooks.replay(session.project(project), hook, delivery)
        session.output.model(again, {"delivery": again.id, "status": again.status})


def _rule(text: str) -> HookRule:
    pattern, equals, environment = text.rpartition("=")
    if not equals:
        raise InvalidInput(
            f"{text!r} is not BRANCH=ENVIRONMENT.", field="rule", hint="For example --rule main=production"
        )
    if pattern.startswith("tag:"):
        return HookRule(tag=pattern.removeprefix("tag:"), environment=environment)
    return HookRule(branch=pattern, environment=environment)


def _shown(rule: HookRule) -> str:
    return f"{rule.branch or f'tag:{rule.tag}'}={rule.environment}"


def _show_new(output: Output, made: NewHook) -> None:
    facts = {"hook": made.id, "repository": made.repository, "url": made.url, "secret": made.secret}
    output.model(made, facts)
    if made.registration != "by_hand":
        output.say("\nTowline makes the webhook there by itself; `towline hooks list` says whether that has worked.")
        return
    output.say(
        "\nEnter the address and the secret at the repository (content type JSON); the secret is not shown again."
    )
