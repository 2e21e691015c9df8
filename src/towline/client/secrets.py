"""Calls about secrets: those of webhooks, and the keys that seal all others."""

from datetime import timedelta

from towline.client.connection import Call, Connection
from towline.contract.base import PageQuery
from towline.contract.sealing import Sealing
from towline.contract.webhook_secrets import NewWebhookSecret, WebhookSecretList, WebhookSecretRotate


class WebhookSecrets:
    """Webhook secrets of services; `project` and `service` are ids or names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, service: str, query: PageQuery | None = None) -> WebhookSecretList:
        """One page of the valid secrets of a service, newest first."""
        place = {"project": project, "service": service}
        return self._connection.send(Call("webhookSecrets.list", place, query=query), WebhookSecretList)

    def rotate(self, project: str, service: str, *, overlap: timedelta = timedelta(days=1)) -> NewWebhookSecret:
        """A new secret, the only answer that shows it; those before it stay valid for the overlap."""
        body = WebhookSecretRotate(overlap_seconds=int(overlap.total_seconds()))
        place = {"project": project, "service": service}
        return self._connection.send(Call("webhookSecrets.rotate", place, body=body), NewWebhookSecret)

    def delete(self, project: str, service: str, *, secret: str) -> None:
        """End a secret now."""
        self._connection.run(Call("webhookSecrets.delete", {"project": project, "service": service, "secret": secret}))


class Secrets:
    """How secrets are sealed at rest."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_status(self) -> Sealing:
        """The sealing keys, and how far a rotation is."""
        return self._connection.send(Call("secrets.getStatus"), Sealing)

    def rotate(self) -> Sealing:
        """Seal everything with a new key, while everything runs; ask `get_status` how far that is."""
        return self._connection.send(Call("secrets.rotate"), Sealing)
