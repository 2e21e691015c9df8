"""Pages of a cron service's runs: what ran, how it ended, and what it printed."""

from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Ask, Visit
from towline.web.dashboard.fields import Fields
from towline.web.dashboard.places import page_query
from towline.web.dashboard.service_forms import environment_of, service_page
from towline.web.dashboard.services import Place

_LINES = 1000
_OPEN = {"queued", "running"}


async def show_runs(visit: Visit) -> View:
    """Runs, the latest first."""
    place = await Place.of(visit)
    found = await visit.send(place.wanting("runs.list", **page_query(visit)))
    values = {"runs": found["items"], "next_cursor": found["next_cursor"]}
    return place.view("service_runs.html", "runs", values)


async def show_run(visit: Visit) -> View:
    """One run with its log."""
    place, name = await Place.of(visit), visit.path["run"]
    named = {"project": place.project["id"], "service": place.service["id"], "run": name}
    run, log = await visit.ask_all(Ask("runs.get", named, {}), Ask("runs.getLogs", named, {"tail": _LINES}))
    values = {
        "run": run,
        "lines": log["items"],
        "is_open": run["status"] in _OPEN,
    }
    return place.view("service_run.html", "runs", values)


async def run_now(visit: Visit, fields: Fields) -> str:
    """Run it now."""
    made = await visit.ask_here("services.runNow", body={"environment": environment_of(fields)})
    return service_page(visit, fields, f"/runs/{made['id']}")


async def cancel_run(visit: Visit, fields: Fields) -> str:
    """End a run."""
    await visit.ask_here("runs.cancel")
    return service_page(visit, fields, f"/runs/{visit.path['run']}")
