"""`towline metrics` and `towline uptime`: what a service used over time, and how often it was well."""

from typing import Annotated

import typer

from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption, TargetArgument
from towline.cli.session import open_session
from towline.contract.metrics import MetricQuery, MetricRange, UptimeQuery, UptimeRange

_MEBIBYTE = 1024 * 1024
_MetricRange = Annotated[MetricRange, typer.Option("--range", help="How far back.")]
_UptimeRange = Annotated[UptimeRange, typer.Option("--range", help="How far back.")]


def metrics(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    range_: _MetricRange = "1h",
    as_json: AsJson = False,
) -> None:
    """Show what all instances of a service used together, step by step."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        query = MetricQuery(environment=place.environment, range=range_)
        session.output.models(
            session.client.services.get_metrics(place.project, place.service, query).points,
            {
                "from": lambda row: row.at,
                "cores": lambda row: f"{row.cpu:.2f}",
                "memory": lambda row: f"{row.memory_bytes / _MEBIBYTE:.0f} MiB",
                "received/s": lambda row: _bytes(row.received_rate),
                "sent/s": lambda row: _bytes(row.sent_rate),
                "requests/s": lambda row: "-" if row.request_rate is None else f"{row.request_rate:.2f}",
                "response": lambda row: "-" if row.response_ms is None else f"{row.response_ms:.1f} ms",
            },
            nothing="Nothing measured yet.",
        )


def uptime(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    range_: _UptimeRange = "24h",
    as_json: AsJson = False,
) -> None:
    """Show how often a service was well, and when it was not."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        query = UptimeQuery(environment=place.environment, range=range_)
        found = session.client.services.get_uptime(place.project, place.service, query)
        ill = [bar for bar in found.bars if bar.unhealthy or bar.degraded]
        facts = {
            "environment": place.environment,
            "uptime": None if found.uptime is None else f"{100 * found.uptime:.2f} %",
            "not well": [f"{bar.at:%Y-%m-%d %H:%M} UTC: {bar.error or 'degraded'}" for bar in ill],
        }
        session.output.model(found, facts)


def _bytes(rate: float | None) -> str:
    return "-" if rate is None else f"{rate / 1024:.1f} KiB"
