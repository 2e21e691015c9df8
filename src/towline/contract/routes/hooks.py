"""Operations of hooks."""

from typing import Final

from towline.contract.base import PageQuery
from towline.contract.hooks import Hook as HookModel
from towline.contract.hooks import HookCreate, HookDelivery, HookDeliveryList, HookList, HookUpdate, NewHook
from towline.contract.operations import Operation, create, delete, read, update

_HOOKS: Final = "/projects/{project}/hooks"
_HOOK: Final = f"{_HOOKS}/{{hook}}"

HOOK_OPERATIONS: Final = (
    read("hooks.list", _HOOKS, needs="deploy", gives=HookList, summary="List connected repositories"),
    create(
        "hooks.create",
        _HOOKS,
        needs="manage_services",
        takes=HookCreate,
        gives=NewHook,
        summary="Connect a repository; its secret is shown once",
    ),
    update(
        "hooks.update",
        _HOOK,
        needs="manage_services",
        takes=HookUpdate,
        gives=HookModel,
        summary="Change which branches and tags go where, and which project file pushes apply",
    ),
    Operation(
        "hooks.rotate",
        "POST",
        f"{_HOOK}/rotate",
        "Make a new secret; the one before stays valid for a day",
        "manage_services",
        response=NewHook,
    ),
    delete("hooks.delete", _HOOK, needs="manage_services", summary="Disconnect a repository"),
    read(
        "hooks.listDeliveries",
        f"{_HOOK}/deliveries",
        needs="deploy",
        gives=HookDeliveryList,
        query=PageQuery,
        summary="List what a repository told, with what became of it",
    ),
    Operation(
        "hooks.replay",
        "POST",
        f"{_HOOK}/deliveries/{{delivery}}/replay",
        "Do what a delivery asked for once more",
        "deploy",
        response=HookDelivery,
        status=202,
    ),
)
