"""Pages of a service's releases: what ran, how two of them differ, rolling back to one, and promoting it."""

from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Visit
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.places import page_query
from towline.web.dashboard.service_forms import environment_of
from towline.web.dashboard.services import Place


async def show_releases(visit: Visit) -> View:
    """Releases in an environment, newest first."""
    place = await Place.of(visit)
    found = await visit.send(place.wanting("releases.list", **page_query(visit)))
    others = [name for name in place.environments if name != place.environment]
    values = {"releases": found["items"], "next_cursor": found["next_cursor"], "others": others}
    return place.view("service_releases.html", "releases", values)


async def promote(visit: Visit, fields: Fields) -> str:
    """Run a release in another environment, without a build."""
    body = {"from_environment": environment_of(fields), "to_environment": text(fields, "to_environment")}
    made = await visit.ask_here("releases.promote", release=text(fields, "release"), body=body)
    return f"/deployments/{made['id']}"
