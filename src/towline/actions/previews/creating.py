"""Making previews and deploying them: a row, an environment, and a group that switches together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from towline.actions.access import Caller
from towline.actions.dependencies import get_graph
from towline.actions.deploying import Wanted
from towline.actions.environments import add_environment, find_environment, get_environment
from towline.actions.events import emit
from towline.actions.groups.requests import request_group
from towline.actions.platform import Platform
from towline.actions.previews.removing import request_removal
from towline.actions.previews.rules import Member, Rules, Selection, choose_services, other_name, rules_of
from towline.actions.protection.settings import check_doors
from towline.actions.settings import run_settings
from towline.actions.sharing import lock_previews
from towline.errors import Conflict, InvalidInput
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.groups import Group
from towline.models.previews import Preview
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service, Workload
from towline.names import new_id
from towline.values import EnvironmentKind, Trigger

_CUSTOM: Final = "custom"


@dataclass(frozen=True, slots=True)
class NewPreview:
    """What is asked for; None and empty is as the project's rules say.

    `sources` say what is deployed of services by id, where that is not their source's default. A name that comes by
    itself (of a request, of a branch) gets a hash where it is taken; one that somebody chose is refused then.
    """

    name: str
    origin: str = _CUSTOM
    title: str = ""
    hook_id: str | None = None
    number: int | None = None
    ref: str = ""
    revision: str = ""
    is_fork: bool = False
    base: str | None = None
    main: str | None = None
    scope: str | None = None
    shared: Sequence[str] | None = None
    sources: Mapping[str, Wanted] = field(default_factory=dict[str, Wanted])
    copies: Sequence[str] = ()
    lifetime: int | None = None
    is_protected_from_cap: bool = False
    webhook_trigger: str = ""


async def create_preview(
    platform: Platform, work: Work, project: Project, wanted: NewPreview, *, caller: Caller
) -> Preview:
    """Make a preview and queue its deployment; a fork's waits for an approval.

    Conflict when the name is taken, or when the project has as many as it may have and none of them may go.
    """
    await lock_previews(work, project.id)
    rules = rules_of(project)
    base = await get_environment(work, project.id, wanted.base or rules.base)
    if base.kind == EnvironmentKind.PREVIEW:
        raise InvalidInput(f"{base.name} is a preview itself.", field="base")
    selection = await _select(work, project, wanted, rules)
    await _make_room(platform, work, project, rules)
    preview = _new_preview(project, wanted, rules, selection, caller=caller)
    environment = await _add_environment(work, project, wanted, preview)
    check_doors(platform, protection=rules.protection)
    preview.environment_id, preview.base_environment_id = environment.id, base.id
    environment.protection = rules.protection
    environment.sleeps_after = rules.sleeps_after_seconds if platform.router.has_doors else None
    preview.copies = await _list_copies(work, wanted.copies, selection)
    work.session.add(preview)
    await work.session.flush()
    tell(platform, work, preview, "created", environment)
    if is_waiting(preview):
        preview.state = "waiting"
        tell(platform, work, preview, "waiting", environment)
    else:
        await deploy_preview(platform, work, project, preview, caller=caller)
    return preview


async def update_preview(
    platform: Platform,
    work: Work,
    project: Project,
    preview: Preview,
    *,
    caller: Caller,
    revision: str = "",
    sources: Mapping[str, Wanted] | None = None,
    title: str | None = None,
) -> None:
    """Deploy a preview again, with what has moved; a new commit of a fork waits for an approval of its own.

    What runs meanwhile is the commit that was approved before.
    """
    if title is not None:
        preview.title = title
    if revision:
        preview.head_revision = revision
    if sources is not None:
        preview.sources = {**preview.sources, **_stored(sources)}
    touch(preview, utc_now())
    environment = await work.session.get_one(Environment, preview.environment_id)
    if is_waiting(preview):
        preview.state = "waiting"
        tell(platform, work, preview, "waiting", environment)
        return
    preview.state = "active"
    await deploy_preview(platform, work, project, preview, caller=caller)
    tell(platform, work, preview, "updated", environment)


async def approve_preview(
    platform: Platform, work: Work, project: Project, preview: Preview, *, revision: str, caller: Caller
) -> None:
    """Let exactly this commit of a fork run; Conflict when it is not the one that waits."""
    if not preview.is_fork:
        raise Conflict("The preview is of no fork; nothing has to be approved.")
    if preview.head_revision != revision:
        raise Conflict(
            f"The request is at {preview.head_revision[:12]} by now, not at {revision[:12]}.",
            hint="Look at the new commit, and approve that one.",
        )
    preview.approved_revision, preview.approved_by = revision, caller.user_id
    preview.state = "active"
    touch(preview, utc_now())
    await deploy_preview(platform, work, project, preview, caller=caller)
    tell(platform, work, preview, "approved", await work.session.get_one(Environment, preview.environment_id))


async def deploy_preview(
    platform: Platform, work: Work, project: Project, preview: Preview, *, caller: Caller
) -> Group:
    """Queue a deployment of all that the preview has of its own, as one group."""
    environment = await work.session.get_one(Environment, preview.environment_id)
    await _complete(work, project, preview)
    wanted = {service_id: Wanted(**preview.sources.get(service_id, {})) for service_id in preview.service_ids}
    group = await request_group(
        platform,
        work,
        project=project,
        environment=environment,
        wanted=wanted,
        caller=caller,
        trigger=Trigger.PREVIEW,
    )
    preview.subdomain = await _find_subdomain(work, preview)
    return group


def is_waiting(preview: Preview) -> bool:
    """Whether the newest commit is a stranger's, and nobody has approved it."""
    is_approved = preview.approved_revision != "" and preview.approved_revision == preview.head_revision
    return preview.is_fork and not is_approved


def touch(preview: Preview, at: datetime) -> None:
    """Note that the preview was used: its lifetime begins anew."""
    preview.last_active_at = max(preview.last_active_at, at)
    preview.expires_at = (
        None if preview.lifetime is None else preview.last_active_at + timedelta(seconds=preview.lifetime)
    )


def tell(platform: Platform, work: Work, preview: Preview, what: str, environment: Environment) -> None:
    """Tell those who watch the project what became of a preview."""
    facts = {"environment": environment.name.partition("~")[0], "environment_id": environment.id}
    emit(platform, work, f"preview.{what}", project_id=preview.project_id, data={**facts, "preview": preview.id})


async def _select(work: Work, project: Project, wanted: NewPreview, rules: Rules) -> Selection:
    query = select(Service).where(Service.project_id == project.id, Service.deleted_at.is_(None))
    members = [Member(one.id, one.name, one.type) for one in await work.session.scalars(query)]
    graph = await get_graph(work, project.id)
    known = {member.name for member in members}
    # What the rules name may be gone by now; what was asked for must be there.
    shared = wanted.shared if wanted.shared is not None else [name for name in rules.shared if name in known]
    main = wanted.main or (rules.main if rules.main in known else None)
    scope = wanted.scope or rules.scope
    return choose_services(members, graph.needs, project=project.name, main=main, scope=scope, shared=shared)


async def _make_room(platform: Platform, work: Work, project: Project, rules: Rules) -> None:
    """Remove the least recently used previews until one more may come."""
    mine = (Preview.project_id == project.id, Preview.state != "removing")
    count = await work.session.scalar(select(func.count()).select_from(Preview).where(*mine)) or 0
    surplus = count + 1 - rules.cap
    if surplus <= 0:
        return
    query = select(Preview).where(*mine, Preview.is_protected_from_cap.is_(False))
    oldest = query.order_by(Preview.last_active_at, Preview.id).limit(surplus).with_for_update()
    leaving = (await work.session.scalars(oldest)).all()
    if len(leaving) < surplus:
        raise Conflict(
            f"{project.name} has {count} previews, all of them protected; it may have {rules.cap}.",
            hint="Delete one, or raise the cap in the rules for previews.",
        )
    for preview in leaving:
        await request_removal(platform, work, preview, reason="The project may have no more previews.")


def _new_preview(
    project: Project, wanted: NewPreview, rules: Rules, selection: Selection, *, caller: Caller
) -> Preview:
    preview = Preview(
        id=new_id("prv"),
        created_at=utc_now(),
        project_id=project.id,
        origin=wanted.origin,
        hook_id=wanted.hook_id,
        number=wanted.number,
        ref=wanted.ref,
        title=wanted.title,
        head_revision=wanted.revision,
        is_fork=wanted.is_fork,
        state="active",
        main_service_id=selection.main,
        service_ids=list(selection.own),
        shared=list(selection.shared),
        sources=_stored(wanted.sources),
        lifetime=wanted.lifetime or rules.lifetime_seconds,
        last_active_at=utc_now(),
        approved_revision="",
        is_protected_from_cap=wanted.is_protected_from_cap,
        created_by=caller.user_id,
        webhook_trigger=wanted.webhook_trigger,
    )
    touch(preview, utc_now())
    return preview


def _stored(sources: Mapping[str, Wanted]) -> dict[str, Any]:
    return {service_id: asdict(wanted) for service_id, wanted in sources.items()}


async def _add_environment(work: Work, project: Project, wanted: NewPreview, preview: Preview) -> Environment:
    name = wanted.name
    if await find_environment(work, project.id, name) is not None:
        if wanted.origin == _CUSTOM:
            raise Conflict(f"The project already has an environment {name!r}.", hint="Choose another name.")
        name = other_name(name, seed=preview.id)
    return await add_environment(work, project.id, name, kind=EnvironmentKind.PREVIEW)


async def _list_copies(work: Work, service_ids: Sequence[str], selection: Selection) -> list[tuple[str, str]]:
    """Service and volume of everything to be copied; InvalidInput for a service that the preview has not."""
    query = select(Service).where(Service.id.in_(service_ids)).order_by(Service.name)
    services = (await work.session.scalars(query)).all()
    if shared := next((one.name for one in services if one.id not in selection.own), None):
        raise InvalidInput(f"The preview has no {shared} of its own to copy data into.", field="copies_data")
    return [(one.id, volume.name) for one in services for volume in run_settings(one.run).volumes]


async def _complete(work: Work, project: Project, preview: Preview) -> None:
    """Bring what the preview has up to date: services may be gone by now, and others needed."""
    graph = await get_graph(work, project.id)
    own = {service_id for service_id in preview.service_ids if service_id in graph.names}
    shared = set(preview.shared)
    edge = own
    while edge:
        edge = {need for one in edge for need in graph.needs[one]} - own - shared
        own = own | edge
    if not own:
        raise Conflict("None of the preview's services is there any more.", hint="Delete the preview.")
    preview.service_ids, preview.shared = sorted(own), sorted(shared & graph.names.keys())
    await work.session.flush()


async def _find_subdomain(work: Work, preview: Preview) -> str:
    query = (
        select(Route.host)
        .join(Workload, Workload.id == Route.workload_id)
        .where(Workload.environment_id == preview.environment_id, Workload.service_id == preview.main_service_id)
        .where(Route.kind == "generated")
    )
    host = await work.session.scalar(query)
    return (host or "").partition(".")[0]
