"""Calls about hooks."""

from towline.client.connection import Call, Connection
from towline.contract.base import PageQuery
from towline.contract.hooks import Hook, HookCreate, HookDelivery, HookDeliveryList, HookList, HookUpdate, NewHook


class Hooks:
    """Connected repositories of a project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str) -> HookList:
        """Hooks by repository."""
        return self._connection.send(Call("hooks.list", {"project": project}), HookList)

    def create(self, project: str, hook: HookCreate) -> NewHook:
        """Connect a repository; the answer alone has the secret."""
        return self._connection.send(Call("hooks.create", {"project": project}, body=hook), NewHook)

    def update(self, project: str, hook: str, change: HookUpdate) -> Hook:
        """Change the rules."""
        return self._connection.send(Call("hooks.update", {"project": project, "hook": hook}, body=change), Hook)

    def rotate(self, project: str, hook: str) -> NewHook:
        """A new secret."""
        return self._connection.send(Call("hooks.rotate", {"project": project, "hook": hook}), NewHook)

    def delete(self, project: str, hook: str) -> None:
        """Disconnect a repository."""
        self._connection.run(Call("hooks.delete", {"project": project, "hook": hook}))

    def list_deliveries(self, project: str, hook: str, query: PageQuery | None = None) -> HookDeliveryList:
        """What a hook was told, newest first."""
        call = Call("hooks.listDeliveries", {"project": project, "hook": hook}, query=query)
        return self._connection.send(call, HookDeliveryList)

    def replay(self, project: str, hook: str, delivery: str) -> HookDelivery:
        """Do what a delivery asked for once more."""
        call = Call("hooks.replay", {"project": project, "hook": hook, "delivery": delivery})
        return self._connection.send(call, HookDelivery)
