"""Operations of notifications."""

from typing import Final

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
from towline.contract.operations import Operation, create, delete, read, update

_CHANNELS: Final = "/notification-channels"
_CHANNEL: Final = f"{_CHANNELS}/{{channel}}"

NOTIFICATION_OPERATIONS: Final = (
    read(
        "notifications.listChannels",
        _CHANNELS,
        needs="manage_services",
        gives=NotificationChannelList,
        query=NotificationChannelQuery,
        summary="List where a project, or the instance, sends notifications",
    ),
    create(
        "notifications.createChannel",
        _CHANNELS,
        needs="manage_services",
        takes=NotificationChannelCreate,
        gives=NewNotificationChannel,
        summary="Add somewhere to send notifications; a webhook's secret is shown once",
    ),
    update(
        "notifications.updateChannel",
        _CHANNEL,
        needs="manage_services",
        takes=NotificationChannelUpdate,
        gives=NotificationChannel,
        summary="Change a channel, or pause it",
    ),
    delete("notifications.deleteChannel", _CHANNEL, needs="manage_services", summary="Delete a channel"),
    Operation(
        "notifications.test",
        "POST",
        f"{_CHANNEL}/test",
        "Send a test message",
        "manage_services",
        response=Notification,
        status=202,
    ),
    read(
        "notifications.list",
        f"{_CHANNEL}/notifications",
        needs="manage_services",
        gives=NotificationList,
        query=PageQuery,
        summary="List what a channel was told, with what became of it",
    ),
)
