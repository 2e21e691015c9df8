"""Calls about notifications."""

from towline.client.connection import Call, Connection
from towline.contract.base import PageQuery
from towline.contract.notifications import (
    NewNotificationChannel,
    Notification,
    NotificationChannel,
    NotificationChannelCreate,
    NotificationChannelList,
    NotificationChannelQuery,
    NotificationChannelUpdate,
    NotificationList,
)


class Notifications:
    """Where notifications go, and what became of each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_channels(self, query: NotificationChannelQuery | None = None) -> NotificationChannelList:
        """One page of channels of a project, or without one of the instance, by name."""
        return self._connection.send(Call("notifications.listChannels", query=query), NotificationChannelList)

    def create_channel(self, channel: NotificationChannelCreate) -> NewNotificationChannel:
        """Add a channel; the answer alone has a webhook's secret."""
        return self._connection.send(Call("notifications.createChannel", body=channel), NewNotificationChannel)

    def update_channel(self, channel: str, change: NotificationChannelUpdate) -> NotificationChannel:
        """Change a channel."""
        call = Call("notifications.updateChannel", {"channel": channel}, body=change)
        return self._connection.send(call, NotificationChannel)

    def delete_channel(self, channel: str) -> None:
        """Delete a channel."""
        self._connection.run(Call("notifications.deleteChannel", {"channel": channel}))

    def test(self, channel: str) -> Notification:
        """Send a test message."""
        return self._connection.send(Call("notifications.test", {"channel": channel}), Notification)

    def list(self, channel: str, query: PageQuery | None = None) -> NotificationList:
        """What a channel was told, newest first."""
        return self._connection.send(Call("notifications.list", {"channel": channel}, query=query), NotificationList)
