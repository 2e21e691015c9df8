"""Pages of one service: overview, deployments, log, variables, domains, settings."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.errors import TowlineError
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Ask, Json, Visit, wanting
from towline.web.dashboard.charts import usage_charts
from towline.web.dashboard.fields import whole
from towline.web.dashboard.projects import permissions

_RANGES: Final = ("1h", "6h", "24h", "7d")
_UPTIMES: Final = ("24h", "7d")
_LINES: Final = 300
_MOST_LINES: Final = 1000
_LEVELS: Final = ("debug", "info", "warning", "error")
_BUILDERS: Final = {
    "auto": "what fits (auto)",
    "dockerfile": "by its Dockerfile",
    "static": "as files that are served",
    "python": "as Python",
    "node": "as Node",
    "nixpacks": "by Nixpacks",
    "railpack": "by Railpack",
}
_PROBES: Final = {
    "auto": "what fits (auto)",
    "http": "an HTTP request",
    "tcp": "a connection to the port",
    "command": "a command inside",
    "process": "being up",
    "image": "the image's own check",
}


async def show_overview(visit: Visit) -> View:
    """What runs, how well, and where it answers."""
    place = await Place.of(visit)
    range_, uptime_range = _chosen(visit, "range", _RANGES), _chosen(visit, "uptime", _UPTIMES)
    status, history, uptime, releases, deployments = await visit.ask_all(
        place.wanting("services.getStatus"),
        place.wanting("metrics.history", range=range_),
        place.wanting("health.uptime", range=uptime_range),
        place.wanting("releases.list", limit=10),
        wanting("deployments.list", query={**place.named, "limit": 5}),
    )
    values = {
        "status": status,
        "charts": usage_charts(history),
        "ranges": _RANGES,
        "range": range_,
        "uptime": uptime,
        "uptimes": _UPTIMES,
        "uptime_range": uptime_range,
        "releases": releases["items"],
        "deployments": deployments["items"],
    }
    return place.view("service_overview.html", "overview", values)


async def show_deployments(visit: Visit) -> View:
    """Every deployment of it, newest first."""
    place = await Place.of(visit)
    query = {**place.named, "limit": 50, "cursor": visit.request.query_params.get("cursor")}
    found = await visit.ask("deployments.list", query=query)
    values = {"deployments": found["items"], "next_cursor": found["next_cursor"]}
    return place.view("service_deployments.html", "deployments", values)


async def show_deploy(visit: Visit) -> View:
    """The form for a deployment: of its source, another ref, an image, or files."""
    return (await Place.of(visit)).view("service_deploy.html", "deploy", {})


async def show_log(visit: Visit) -> View:
    """What its instances print."""
    place, given = await Place.of(visit), visit.request.query_params
    level, since, before = given.get("level", ""), _moment(given.get("since", "")), whole(given.get("before", ""))
    chosen = {"query": given.get("query", "")[:200], "level": level if level in _LEVELS else ""}
    wanted: Json = {name: value or None for name, value in chosen.items()}
    tail = min(whole(given.get("tail", "")) or _LINES, _MOST_LINES)
    wanted |= {"since": since, "limit": _MOST_LINES} if since else {"tail": tail, "before": before or None}
    page = await visit.send(place.wanting("services.getLogs", **wanted))
    values = {
        "lines": page["items"],
        "next_sequence": page["next_sequence"],
        "levels": _LEVELS,
        "chosen": {**chosen, "tail": tail, "since": since},
        "filter": urlencode({name: value for name, value in chosen.items() if value} | place.environment_query),
        "is_behind": bool(before) or len(page["items"]) == _MOST_LINES,
    }
    return place.view("service_log.html", "log", values)


async def show_variables(visit: Visit) -> View:
    """What the next deployment gives its instances, with origin; and what was changed."""
    place = await Place.of(visit)
    if not place.can["can_deploy"]:
        values: Json = {"variables": [], "own": {}, "changes": [], "stale": [], "problem": None}
        return place.view("service_variables.html", "variables", values)
    service = {"service": place.service["id"]}
    own, history, stale = await visit.ask_all(
        wanting("variables.list", project=place.project["id"], query=service),
        wanting("variables.history", project=place.project["id"], query={**service, "limit": 20}),
        wanting("variables.stale", project=place.project["id"], query=service),
    )
    problem: TowlineError | None = None
    effective: list[Json] = []
    try:
        asked = wanting(
            "variables.effective", project=place.project["id"], query={**service, **place.environment_query}
        )
        effective = (await visit.send(asked))["items"]
    except TowlineError as error:
        problem = error
    values = {
        "variables": effective,
        "own": {item["name"]: item for item in own["items"] if item["level"] == "service"},
        "changes": history["items"],
        "stale": [item for item in stale["items"] if item["environment"] == place.environment],
        "problem": problem,
    }
    return place.view("service_variables.html", "variables", values)


async def show_domains(visit: Visit) -> View:
    """Its hosts and their certificates."""
    place = await Place.of(visit)
    routes = await visit.send(place.wanting("routes.list"))
    return place.view("service_domains.html", "domains", {"routes": routes["items"]})


async def show_settings(visit: Visit) -> View:
    """How it is built and run, and its deletion."""
    place = await Place.of(visit)
    services, graph = await visit.ask_all(
        wanting("services.listByProject", project=place.project["id"], query={"limit": 200}),
        wanting("dependencies.list", project=place.project["id"]),
    )
    own = [one for one in graph["dependencies"] if one["service"] == place.service["name"]]
    others = {item["name"] for item in services["items"]} - {place.service["name"], *(one["depends_on"] for one in own)}
    volumes = [f"{volume['name']} {volume['path']}" for volume in place.service["volumes"]]
    values = {"needs": own, "others": sorted(others), "volumes": "\n".join(volumes)}
    values |= {"builders": _BUILDERS, "probes": _PROBES}
    return place.view("service_settings.html", "settings", values)


def _chosen(visit: Visit, name: str, choices: Sequence[str]) -> str:
    """A choice that the page's address makes; the first one when it makes none."""
    given = visit.request.query_params.get(name, "")
    return given if given in choices else choices[0]


def _moment(value: str) -> str:
    """A time as the API takes it; one without a zone, which a browser without scripts sends, is in UTC."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return ""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


class Place:
    """A service in one environment, as every page of it needs it."""

    def __init__(self, visit: Visit, found: list[Json]) -> None:
        self.project, self.service, environments = found
        self.environments = [item["name"] for item in environments["items"]]
        asked = visit.request.query_params.get("environment", DEFAULT_ENVIRONMENT)
        self.environment = asked if asked in self.environments else DEFAULT_ENVIRONMENT
        self.environment_query = {"environment": self.environment}
        self.named = {"project": self.project["id"], "service": self.service["id"], "environment": self.environment}
        self.can = permissions(visit, self.project)

    @classmethod
    async def of(cls, visit: Visit) -> "Place":
        """What the page's address names."""
        project, service = visit.path["project"], visit.path["service"]
        found = await visit.ask_all(
            wanting("projects.get", project=project),
            wanting("services.get", project=project, service=service),
            wanting("environments.list", project=project, query={"limit": 200}),
        )
        return cls(visit, found)

    def wanting(self, operation: str, **query: str | int | None) -> Ask:
        """An operation of this service in this environment."""
        wanted = {**self.environment_query, **query}
        return wanting(operation, project=self.project["id"], service=self.service["id"], query=wanted)

    def view(self, template: str, tab: str, values: Json) -> View:
        """A page of this service."""
        project, service = self.project, self.service
        shared = {
            "project": project,
            "service": service,
            "environment": self.environment,
            "environments": self.environments,
            "tab": tab,
            "base": f"/projects/{project['name']}/services/{service['name']}",
            "suffix": "" if self.environment == DEFAULT_ENVIRONMENT else f"?environment={self.environment}",
            **self.can,
        }
        rooms = (f"project:{project['id']}",)
        return View(template, f"{service['name']} · {project['name']}", {**shared, **values}, rooms, project["name"])
