"""Pages of notifications: where they go, what they tell of, and what became of each; of a project or the instance."""

from typing import Final, get_args

from towline.actions.mail import sends_mail
from towline.contract.notifications import ChannelKind, NotificationKind
from towline.errors import NotFound
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Ask, Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.instance import instance_view
from towline.web.dashboard.places import ask_project, chosen, page_query, project_view
from towline.web.deps import get_platform

KINDS: Final[tuple[str, ...]] = get_args(ChannelKind)
EVENTS: Final[tuple[str, ...]] = get_args(NotificationKind)
ENVIRONMENTS: Final = ("production", "staging", "preview")


async def show_channels(visit: Visit) -> View:
    """Channels of a project, or of the instance."""
    return await _channels(visit, None)


async def create_channel(visit: Visit, fields: Fields) -> View:
    """Add a channel; a webhook's secret is shown this once."""
    body: Json = {
        "name": text(fields, "name"),
        "kind": text(fields, "kind"),
        "address": text(fields, "address"),
        "events": chosen(fields, "event"),
        "environments": chosen(fields, "environment"),
    }
    if project := visit.path.get("project"):
        body["project"] = project
    return await _channels(visit, await visit.ask("notifications.createChannel", body=body))


async def show_channel(visit: Visit) -> View:
    """One channel, and what it was told."""
    channel_id = visit.path["channel"]
    told = wanting("notifications.list", channel=channel_id, query=page_query(visit))
    project, (listed, sent) = await _ask(visit, told)
    channel = next((item for item in listed["items"] if item["id"] == channel_id), None)
    if channel is None:
        raise NotFound("There is no such channel, or you may not see it.")
    values = {"channel": channel, "sent": sent["items"], "next_cursor": sent["next_cursor"]}
    return _view(visit, project, "channel.html", channel["name"], values)


async def change_channel(visit: Visit, fields: Fields) -> str:
    """Change what a channel is told of, or where it leads."""
    body: Json = {
        "name": text(fields, "name"),
        "events": chosen(fields, "event"),
        "environments": chosen(fields, "environment"),
    }
    if address := text(fields, "address"):
        body["address"] = address
    await visit.ask("notifications.updateChannel", channel=visit.path["channel"], body=body)
    return _page(visit, f"/{visit.path['channel']}")


async def pause_channel(visit: Visit, fields: Fields) -> str:
    """Send nothing for now, or again."""
    body = {"is_paused": fields.get("is_paused") == "true"}
    await visit.ask("notifications.updateChannel", channel=visit.path["channel"], body=body)
    return _page(visit, f"/{visit.path['channel']}")


async def try_channel(visit: Visit, _: Fields) -> str:
    """Send a test message."""
    await visit.ask("notifications.test", channel=visit.path["channel"])
    return _page(visit, f"/{visit.path['channel']}")


async def delete_channel(visit: Visit, _: Fields) -> str:
    """Delete a channel."""
    await visit.ask("notifications.deleteChannel", channel=visit.path["channel"])
    return _page(visit)


async def _ask(visit: Visit, *asks: Ask) -> tuple[Json | None, list[Json]]:
    """The project where there is one, the channels, and more answers."""
    name = visit.path.get("project")
    listed = wanting("notifications.listChannels", query={"project": name, "limit": 100})
    if name is None:
        return None, await visit.ask_all(listed, *asks)
    return await ask_project(visit, listed, *asks)


async def _channels(visit: Visit, made: Json | None) -> View:
    project, (listed,) = await _ask(visit)
    return _view(visit, project, "channels.html", "Notifications", {"channels": listed["items"], "made": made})


def _view(visit: Visit, project: Json | None, template: str, title: str, values: Json) -> View:
    shared = {"kinds": KINDS, "events": EVENTS, "environment_kinds": ENVIRONMENTS, "base": _page(visit), **values}
    shared["has_mail"] = sends_mail(get_platform(visit.request))
    if project is None:
        return instance_view(visit, template, title, {"project": None, "head": "instance_head.html", **shared})
    return project_view(visit, project, template, title, {"head": "project_head.html", **shared})


def _page(visit: Visit, rest: str = "") -> str:
    name = visit.path.get("project")
    return (f"/projects/{name}" if name else "/instance") + f"/notifications{rest}"
