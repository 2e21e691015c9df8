"""Towline's own processes and its Traefik, as parts for the supervisor."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from towline.errors import InvalidInput
from towline.infra.private_files import write_private
from towline.supervise.databases import Databases
from towline.supervise.installation import Installation, local_api_key, traefik_api_password
from towline.supervise.layout import Layout
from towline.supervise.leash import SUPERVISOR
from towline.supervise.probes import answers_http, speaks_http
from towline.supervise.program import Part, Program
from towline.supervise.reclaim import reclaim_program_pages
from towline.supervise.traefik import find_traefik_binary, traefik_command, traefik_environment, traefik_static_config

# Nothing that differs from shell to shell, such as PATH: Traefik would be started again, and requests would fail.
_TRAEFIK_INHERITS = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_TRAEFIK_INHERITS_PREFIXES = ("LEGO_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def platform_settings(
    layout: Layout, installation: Installation, databases: Databases, *, internal_address: str
) -> dict[str, str]:
    """The TOWLINE_… variables of the API, the worker and the migration step."""
    ports = installation.ports
    settings = {
        "TOWLINE_BASE_DOMAIN": installation.base_domain,
        "TOWLINE_INTERNAL_ADDRESS": internal_address,
        **installation.settings,
        "TOWLINE_DATA_DIR": str(layout.root),
        "TOWLINE_DATABASE_URL": databases.database_url,
        "TOWLINE_REDIS_URL": databases.redis_url,
        "TOWLINE_INSTALLATION_ID": installation.installation_id,
        "TOWLINE_BOOTSTRAP_API_KEY": local_api_key(layout),
        "TOWLINE_API_PORT": str(ports.api),
        "TOWLINE_INTERNAL_PORT": str(ports.internal),
        "TOWLINE_HTTP_PORT": str(ports.http),
        "TOWLINE_HTTPS_PORT": str(ports.https),
    }
    if installation.has_traefik:
        settings["TOWLINE_TRAEFIK_API_URL"] = f"http://127.0.0.1:{ports.traefik_api}"
        settings["TOWLINE_TRAEFIK_API_PASSWORD"] = traefik_api_password(layout)
    return settings


def platform_parts(layout: Layout, installation: Installation, *, settings: Mapping[str, str]) -> list[Part]:
    """The migration step, then API and worker: in one process (`server`), or in two when the settings say so."""
    environment = _platform_environment(settings)

    def part(name: str, title: str, *needs: str) -> Part:
        arguments = (sys.executable, "-m", "towline", "internal", name)
        program = Program(arguments=arguments, environment=environment, log=layout.log_file(name))
        return Part(name=name, title=title, program=program, needs=needs)

    port = installation.ports.api
    migrate = replace(part("migrate", "Database schema", "postgres"), runs_once=True)
    if settings.get("TOWLINE_PROCESSES") == "separate":
        api = replace(part("api", "API", "migrate", "valkey"), is_ready=lambda: answers_http(port, "/readyz"))
        return [migrate, api, replace(part("worker", "Worker", "migrate", "valkey"), stop_seconds=15)]
    server = part("server", "API and worker", "migrate", "valkey")
    return [migrate, replace(server, is_ready=lambda: answers_http(port, "/readyz"), stop_seconds=20)]


def prepare_traefik(layout: Layout, installation: Installation, *, settings: Mapping[str, str]) -> Part:
    """Write Traefik's static configuration and say how to run it."""
    content = json.dumps(_static_config(layout, installation, settings), indent=2)
    configuration = layout.traefik / "traefik.yaml"  # JSON is YAML
    write_private(configuration, content)
    arguments = traefik_command(find_traefik_binary(), configuration)
    return Part(
        name="traefik",
        title="Traefik",
        program=Program(
            arguments=tuple(arguments),
            environment={**_traefik_inheritance(), **_dns_credentials(settings), **traefik_environment()},
            log=layout.log_file("traefik"),
            folder=layout.traefik,
            umask=0o077,
        ),
        survives=True,
        errors=layout.traefik / "traefik.log",
        revision=hashlib.sha256(content.encode()).hexdigest(),
        stop_seconds=15,
        is_ready=lambda: speaks_http(installation.ports.traefik_api),
        after_start=reclaim_program_pages,
    )


def _platform_environment(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOWLINE_")}
    return {**inherited, **settings, SUPERVISOR: str(os.getpid()), "PYTHONUNBUFFERED": "1"}


def _static_config(layout: Layout, installation: Installation, settings: Mapping[str, str]) -> dict[str, object]:
    ports = installation.ports
    internal_address = settings.get("TOWLINE_INTERNAL_ADDRESS", "")
    proxies = settings.get("TOWLINE_TRUSTED_PROXIES", "")
    return traefik_static_config(
        folder=layout.traefik,
        routes_dir=layout.traefik / "routes",
        http_address=f":{ports.http}",
        https_address=f":{ports.https}",
        api_address=f"127.0.0.1:{ports.traefik_api}",
        internal_address=f"{internal_address}:{ports.internal}" if internal_address else "",
        acme_email=settings.get("TOWLINE_ACME_EMAIL", ""),
        acme_directory_url=settings.get("TOWLINE_ACME_DIRECTORY_URL", "https://acme-v02.api.letsencrypt.org/directory"),
        trusted_proxies=tuple(part.strip() for part in proxies.split(",") if part.strip()),
        acme_dns_provider=settings.get("TOWLINE_ACME_DNS_PROVIDER", ""),
        acme_challenge="tls" if settings.get("TOWLINE_ACME_CHALLENGE") == "tls" else "http",
    )


def _traefik_inheritance() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in _TRAEFIK_INHERITS or name.startswith(_TRAEFIK_INHERITS_PREFIXES)
    }


def _dns_credentials(settings: Mapping[str, str]) -> dict[str, str]:
    """What Traefik's DNS provider reads: the lines NAME=VALUE of the file that the settings name."""
    path = settings.get("TOWLINE_ACME_DNS_FILE", "")
    if not path:
        return {}
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"The file {path} of TOWLINE_ACME_DNS_FILE cannot be read.", field="acme_dns_file"
        ) from error
    pairs = [line.partition("=") for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if any(not name.strip().isidentifier() or not sign for name, sign, _ in pairs):
        raise InvalidInput(f"{path} holds a line that is not of the form NAME=VALUE.", field="acme_dns_file")
    return {name.strip(): value.strip() for name, _, value in pairs}
