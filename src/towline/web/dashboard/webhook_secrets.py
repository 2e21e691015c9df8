"""Pages of what a service's own webhooks are signed with."""

from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, number, text
from towline.web.dashboard.service_forms import service_page
from towline.web.dashboard.services import Place

_HOUR = 3600


async def show_webhook_secrets(visit: Visit) -> View:
    """The secrets that are valid."""
    return await _secrets(visit, None)


async def rotate_webhook_secret(visit: Visit, fields: Fields) -> View:
    """A new secret, shown this once."""
    hours = number(fields, "hours")
    body = {"overlap_seconds": (24 if hours is None else hours) * _HOUR}
    return await _secrets(visit, await visit.ask_here("webhookSecrets.rotate", body=body))


async def delete_webhook_secret(visit: Visit, fields: Fields) -> str:
    """End a secret now."""
    await visit.ask_here("webhookSecrets.delete", secret=text(fields, "secret"))
    return service_page(visit, fields, "/webhook-secrets")


async def _secrets(visit: Visit, made: Json | None) -> View:
    place = await Place.of(visit)
    secrets: list[Json] = []
    if place.can["can_manage"]:
        named = {"project": place.project["id"], "service": place.service["id"]}
        secrets = (await visit.send(wanting("webhookSecrets.list", **named, query={"limit": 50})))["items"]
    return place.view("service_webhook_secrets.html", "settings", {"secrets": secrets, "made": made})
