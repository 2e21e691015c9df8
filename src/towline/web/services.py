"""HTTP: services and their settings. What runs of them is in `status`, what is deployed in `deployments`."""

from functools import cache
from typing import Any

from starlette.responses import Response

from towline.actions.access import Permission
from towline.actions.backups.settings import backup_settings
from towline.actions.service_search import search_services
from towline.actions.services import (
    create_service,
    delete_service,
    get_service_view,
    list_services,
    update_service,
)
from towline.contract.base import PageQuery
from towline.contract.services import Service, ServiceCreate, ServiceSearch, ServiceUpdate
from towline.web.answering import json_response
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("services.listByProject", holds_transaction=False)
async def list_(call: Call, query: PageQuery) -> Response:
    """Services of a project, by name."""
    after = decode_cursor(query.cursor, str)
    found = await list_services(
        call.platform,
        call.project.id,
        after=after[0] if after else None,
        limit=query.limit + 1,
    )
    return json_response(page_of([_shown(view) for view in found], limit=query.limit, key=_key))


@router.operation("services.search")
async def search(call: Call, query: ServiceSearch) -> Response:
    """Services of all projects the caller may see, by project and name."""
    after = decode_cursor(query.cursor, str, str)
    found = await search_services(
        call.session,
        call.caller,
        call.permitted_projects(),
        text=query.text,
        after=(after[0], after[1]) if after else None,
        limit=query.limit + 1,
    )
    return json_response(page_of(list(found), limit=query.limit, key=_place))


@router.operation("services.create")
async def create(call: Call, body: ServiceCreate) -> Response:
    """A new service; nothing runs until its first deployment."""
    call.found_service = await create_service(call.platform, call.work, call.project, body.model_dump(mode="json"))
    call.note(call.service.id, name=call.service.name)
    return await _show(call, status=201)


@router.operation("services.get")
async def get(call: Call) -> Response:
    """One service."""
    return await _show(call)


@router.operation("services.update")
async def update(call: Call, body: ServiceUpdate) -> Response:
    """Change a service; fields left out stay, null brings back a default."""
    changes = {
        name: _defaults().get(name) if value is None else value
        for name, value in body.model_dump(mode="json", exclude_unset=True).items()
        if value is not None or name != "name"
    }
    if changes.get("backup") and backup_settings(changes) != backup_settings(call.service.run):
        # Unlike all other commands, that of a dump runs in what is deployed already.
        await call.get_project(call.project.id, permission=Permission.DEPLOY)
    await update_service(call.platform, call.work, call.project, call.service, changes)
    call.note(call.service.id, fields=sorted(changes))
    return await _show(call)


@router.operation("services.delete")
async def delete(call: Call) -> None:
    """Delete a service and all that runs of it."""
    call.note(call.service.id, name=call.service.name)
    await delete_service(call.platform, call.work, call.service)


async def _show(call: Call, *, status: int = 200) -> Response:
    view = await get_service_view(call.platform, call.work, call.service)
    return json_response(_shown(view), status=status)


def _key(service: dict[str, Any]) -> tuple[str]:
    return (service["name"],)


def _place(found: dict[str, Any]) -> tuple[str, str]:
    return (found["project"], found["name"])


def _shown(view: dict[str, Any]) -> dict[str, Any]:
    return _shown_defaults() | view


@cache
def _shown_defaults() -> dict[str, Any]:
    return {name: value for name, value in _defaults().items() if name in Service.model_fields}


@cache
def _defaults() -> dict[str, Any]:
    """What a service has where nothing was said, by the contract."""
    return ServiceCreate(name="any").model_dump(mode="json", exclude={"name"})
