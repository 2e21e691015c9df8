"""`towline domains`: hosts and paths that lead to a service."""

from typing import Annotated

import typer

from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption, Yes
from towline.cli.session import Session, Target, open_session
from towline.contract.domains import Route, RouteCreate
from towline.contract.platform import PlatformUpdate
from towline.errors import NotFound

domains = typer.Typer(name="domains", help="Domains: hosts and paths that lead to a service.")

_Host = Annotated[str, typer.Argument(metavar="HOST[/PATH]", help="Such as shop.example.com or example.com/api.")]


@domains.callback(invoke_without_command=True)
def list_by_default(
    context: typer.Context, *, project: ProjectOption = None, service: ServiceOption = None, as_json: AsJson = False
) -> None:
    """Domains: hosts and paths that lead to a service."""
    if context.invoked_subcommand is None:
        list_domains(project=project, service=service, as_json=as_json)


@domains.command("check")
def check_domain(
    domain: Annotated[str | None, typer.Argument(help="Domain; else the instance's base domain.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Look whether names below a domain lead to this server (administrators)."""
    with open_session(as_json=as_json) as session:
        found = session.client.instance.check_domain(domain)
        facts = {
            "domain": found.domain,
            "looked up": found.host,
            "addresses": found.addresses,
            "this server": found.expected,
            "problem": found.problem,
            "next": found.hint,
        }
        session.output.model(found, facts)


@domains.command("set-base")
def set_base_domain(
    domain: Annotated[str, typer.Argument(help="Domain below which generated hosts live.")],
    *,
    even_if_unreachable: Annotated[
        bool, typer.Option("--even-if-unreachable", help="Although DNS does not lead to this server.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set the instance's base domain; Towline starts again, generated hosts follow (administrators)."""
    with open_session(as_json=as_json) as session:
        change = PlatformUpdate(base_domain=domain, even_if_unreachable=even_if_unreachable)
        set_now = session.client.instance.update_platform(change)
        facts = {"base domain": set_now.base_domain, "dashboard": set_now.url, "starts again": set_now.is_restarting}
        session.output.model(set_now, facts)


@domains.command("former")
def list_former_hosts(*, as_json: AsJson = False) -> None:
    """List former addresses of Towline itself that still lead to it (administrators)."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.instance.list_former_hosts().items,
            {
                "host": lambda row: row.host,
                "left": lambda row: row.left_at,
                "last used": lambda row: row.last_used_at,
                "sign-in providers": lambda row: row.providers,
            },
            nothing="None.",
        )


@domains.command("retire")
def retire_former_host(
    host: Annotated[str, typer.Argument(help="One of `towline domains former`.")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a former address lead to Towline no more; apps may have it then (administrators)."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Retire {host}? What still calls Towline there reaches nothing, or an app.", yes=yes)
        session.client.instance.retire_former_host(host)
        session.output.say(f"{host} leads to Towline no more.")


@domains.command("list")
def list_domains(
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """List domains with the state of their certificates."""
    with open_session(as_json=as_json) as session:
        place = session.target(project=project, service=service, environment=environment)
        session.output.models(
            _routes(session, place),
            {
                "url": lambda row: row.url,
                "kind": lambda row: row.kind,
                "certificate": lambda row: row.certificate,
                "problem": lambda row: row.certificate_problem,
                "id": lambda row: row.id,
            },
            nothing="No domain; deploy the service first.",
        )


@domains.command("add")
def add_domain(
    host: _Host,
    *,
    strip_prefix: Annotated[bool, typer.Option("--strip-prefix", help="Remove the path for the app.")] = False,
    http_only: Annotated[bool, typer.Option("--http-only", help="Do not ask for a certificate.")] = False,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Lead a domain, or a path of one, to a service."""
    name, _, path = host.partition("/")
    with open_session(as_json=as_json) as session:
        place = session.target(project=project, service=service, environment=environment)
        body = RouteCreate(
            host=name,
            path_prefix=f"/{path}",
            strip_prefix=strip_prefix,
            environment=place.environment,
            certificate="none" if http_only else "auto",
            redirect_to_https=not http_only,
        )
        route = session.client.routes.create(place.project, place.service, body)
        facts = {"url": route.url, "certificate": route.certificate, "problem": route.certificate_problem}
        session.output.model(route, facts)


@domains.command("remove")
def remove_domain(
    host: Annotated[str, typer.Argument(metavar="HOST[/PATH]|ID")],
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Remove a custom domain."""
    with open_session(as_json=as_json) as session:
        place = session.target(project=project, service=service, environment=environment)
        matching = [route for route in _routes(session, place) if host in _names(route)]
        if not matching:
            raise NotFound(f"{place} has no domain {host!r}.", hint="List them with `towline domains`.")
        session.client.routes.delete(place.project, place.service, matching[0].id)
        session.output.say(f"Removed {matching[0].url}.")


def _routes(session: Session, place: Target) -> list[Route]:
    return session.client.routes.list(place.project, place.service, environment=place.environment).items


def _names(route: Route) -> set[str]:
    path = route.path_prefix.rstrip("/")
    return {route.id, f"{route.host}{path}", f"{route.host}{path}/"}
