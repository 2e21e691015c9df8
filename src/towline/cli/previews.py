"""`towline previews`: environments of their own for a request, a branch or a try."""

from typing import Annotated, Any

import typer

from towline.cli.group import follow_group
from towline.cli.options import AsJson, Detach, Limit, ProjectOption, Yes
from towline.cli.output import Output
from towline.cli.session import Session, open_session
from towline.contract.groups import GroupService
from towline.contract.previews import Preview, PreviewCreate, PreviewQuery, PreviewRules, PreviewUpdate
from towline.errors import InvalidInput

previews = typer.Typer(name="previews", help="Previews: environments for a request, a branch or a try.")

_Name = Annotated[str, typer.Argument(metavar="PREVIEW", help="Name or id, from `towline previews`.")]
_Ref = Annotated[str | None, typer.Option("--ref", metavar="REF", help="Branch, tag or commit of what is from git.")]
_Images = Annotated[
    list[str] | None, typer.Option("--image", metavar="SERVICE=IMAGE", help="Image of a service; may be repeated.")
]
_Scope = Annotated[
    str | None,
    typer.Option("--scope", help="project, graph (the main service and what it needs) or service (that one alone)."),
]
_Main = Annotated[str | None, typer.Option("--main", metavar="SERVICE", help="Service that its host leads to.")]
_Shared = Annotated[
    list[str] | None,
    typer.Option("--share", metavar="SERVICE", help="Service used from the base environment; may be repeated."),
]
_Days = Annotated[float | None, typer.Option("--days", metavar="N", help="Days without use after which it goes.")]


@previews.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Previews: environments for a request, a branch or a try."""
    if context.invoked_subcommand is None:
        list_previews(project=project, as_json=as_json)


@previews.command("list")
def list_previews(*, project: ProjectOption = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List previews of a project."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.previews.list(session.project(project), PreviewQuery(limit=limit)).items,
            {
                "name": lambda row: row.name,
                "title": lambda row: row.title,
                "state": _state,
                "url": lambda row: row.url or "",
                "used": lambda row: row.last_active_at,
                "goes": lambda row: row.expires_at,
            },
            nothing="No preview; `towline previews create NAME` makes one.",
        )


@previews.command("create")
def create_preview(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, which its host has too.")],
    *,
    project: ProjectOption = None,
    ref: _Ref = None,
    image: _Images = None,
    main: _Main = None,
    scope: _Scope = None,
    share: _Shared = None,
    base: Annotated[str | None, typer.Option("--base", help="Environment to share with.")] = None,
    copy_data: Annotated[
        list[str] | None,
        typer.Option("--copy-data", metavar="SERVICE", help="Fill its volumes from the base's; may be repeated."),
    ] = None,
    days: _Days = None,
    protect: Annotated[bool, typer.Option("--protect", help="Keep it when there are too many.")] = False,
    title: Annotated[str, typer.Option("--title", help="One line about it.")] = "",
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Create a preview and follow its deployment."""
    given: dict[str, Any] = {
        "name": name,
        "title": title,
        "ref": ref,
        "services": _images(image),
        "main": main,
        "scope": scope,
        "shared": share,
        "base": base,
        "copies_data": copy_data or [],
        "lifetime_seconds": _seconds(days),
        "is_protected_from_cap": protect,
    }
    with open_session(as_json=as_json) as session:
        made = session.client.previews.create(session.project(project), PreviewCreate.model_validate(given))
        _follow(session, made, detach=detach)


@previews.command("show")
def show_preview(preview: _Name, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Show a preview with its services and addresses."""
    with open_session(as_json=as_json) as session:
        _show(session.output, session.client.previews.get(session.project(project), preview))


@previews.command("deploy")
def deploy_preview(
    preview: _Name,
    *,
    project: ProjectOption = None,
    ref: _Ref = None,
    image: _Images = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Deploy a preview again, with another commit or image where one is named."""
    change = PreviewUpdate.model_validate({"ref": ref, "services": _images(image), "deploy": True})
    with open_session(as_json=as_json) as session:
        _follow(session, session.client.previews.update(session.project(project), preview, change), detach=detach)


@previews.command("update")
def update_preview(
    preview: _Name,
    *,
    project: ProjectOption = None,
    title: Annotated[str | None, typer.Option("--title", help="One line about it.")] = None,
    days: _Days = None,
    keep: Annotated[bool, typer.Option("--keep", help="It never goes by itself.")] = False,
    protect: Annotated[
        bool | None, typer.Option("--protect/--no-protect", help="Whether it stays when there are too many.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a preview."""
    given = {"title": title, "lifetime_seconds": _seconds(days), "is_protected_from_cap": protect}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if keep:
        changes["lifetime_seconds"] = None
    with open_session(as_json=as_json) as session:
        change = PreviewUpdate.model_validate(changes)
        _show(session.output, session.client.previews.update(session.project(project), preview, change))


@previews.command("extend")
def extend_preview(preview: _Name, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Let a preview's lifetime begin anew."""
    with open_session(as_json=as_json) as session:
        _show(session.output, session.client.previews.extend(session.project(project), preview))


@previews.command("approve")
def approve_preview(
    preview: _Name,
    revision: Annotated[str, typer.Argument(metavar="COMMIT", help="The commit of the fork, whole.")],
    *,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Let a commit of a fork run, once you have looked at it."""
    with open_session(as_json=as_json) as session:
        _show(session.output, session.client.previews.approve(session.project(project), preview, revision))


@previews.command("wake")
def wake_preview(preview: _Name, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Wake a preview that sleeps."""
    with open_session(as_json=as_json) as session:
        _show(session.output, session.client.previews.wake(session.project(project), preview))


@previews.command("delete")
def delete_preview(preview: _Name, *, project: ProjectOption = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a preview with all that belongs to it."""
    with open_session(as_json=as_json) as session:
        place = session.project(project)
        session.confirm(f"Delete preview {preview} of {place} with its data?", yes=yes)
        session.client.previews.delete(place, preview)
        session.output.say(f"Preview {preview} of {place} is being removed.")


@previews.command("rules")
def show_rules(
    *,
    project: ProjectOption = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a rule; lists with commas, nothing for none."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the rules for previews, or change some of them."""
    with open_session(as_json=as_json) as session:
        place = session.project(project)
        rules = session.client.previews.get_rules(place)
        if change:
            wanted = {**rules.model_dump(), **dict(_rule(text) for text in change)}
            rules = session.client.previews.update_rules(place, PreviewRules.model_validate(wanted))
        session.output.model(rules, rules.model_dump())


def _rule(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or name not in PreviewRules.model_fields:
        known = ", ".join(PreviewRules.model_fields)
        raise InvalidInput(f"{text!r} sets no rule.", hint=f"There are {known}.", field="set")
    if name in {"branches", "shared"}:
        return name, [part for part in value.split(",") if part]
    if value in {"true", "false"}:
        return name, value == "true"
    return name, (int(value) if value.isdecimal() else value or None)


def _images(given: list[str] | None) -> list[GroupService]:
    pairs = [text.partition("=") for text in given or ()]
    if wrong := next((name for name, _, image in pairs if not image), None):
        raise InvalidInput(f"{wrong!r} names no image.", hint="For example: --image api=shop/api:try", field="image")
    return [GroupService(service=name, image=image) for name, _, image in pairs]


def _seconds(days: float | None) -> int | None:
    return None if days is None else int(days * 86_400)


def _state(row: Preview) -> str:
    if row.state == "waiting":
        return "waits for approval"
    return "asleep" if row.is_asleep else str(row.status or row.state)


def _follow(session: Session, row: Preview, *, detach: bool) -> None:
    """Follow the deployment of a preview to its end, unless it waits for an approval."""
    if row.group is None or row.state == "waiting" or session.output.is_json:
        return _show(session.output, row)
    group = session.client.groups.get_status(row.project, row.group)
    return follow_group(session, group, detach=detach)


def _show(output: Output, row: Preview) -> None:
    names = [f"{one.service} ({row.base})" if one.is_shared else one.service for one in row.services]
    output.model(
        row,
        {
            "preview": row.name,
            "title": row.title,
            "state": _state(row),
            "url": row.url,
            "services": names,
            "others": [url for one in row.services for url in one.urls if url != row.url and not one.is_shared],
            "branch": row.ref,
            "commit": row.head_revision,
            "used": row.last_active_at,
            "goes": row.expires_at or "never by itself",
            "stays when there are too many": row.is_protected_from_cap or None,
        },
    )
