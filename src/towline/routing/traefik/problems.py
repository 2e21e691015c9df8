"""Finds out why a host has no certificate: Traefik's store, its log, and DNS."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import orjson

from towline.names import wildcard_of
from towline.routing.traefik.files import RouteFiles, certificate_file
from towline.routing.traefik.options import TraefikOptions

_LOG_TAIL = 512 * 1024
_STORE_LIMIT = 16 * 1024 * 1024
_DNS_SECONDS = 3.0


async def find_certificate_problem(host: str, *, options: TraefikOptions, files: RouteFiles) -> str:
    """Why there is no certificate for the host, in one sentence; empty when there is one or none is wanted."""
    if not await asyncio.to_thread(_is_missing, host, options, files):
        return ""
    if not options.acme_email:
        return f"No e-mail address for certificates is set, so none was asked for {host}."
    refusal = await asyncio.to_thread(find_refusal, host, options.log_file) if options.log_file else ""
    dns = await _find_dns_problem(host, options.public_addresses)
    if refusal:
        return (
            f"{dns} The authority said: {refusal}"
            if dns
            else f"The authority gave no certificate for {host}: {refusal}"
        )
    return dns or f"A certificate for {host} was asked for and has not arrived yet."


def has_certificate(host: str, options: TraefikOptions, files: RouteFiles) -> bool:
    """Whether Traefik has a certificate for the host, given or from the authority. Blocking."""
    if files.find(certificate_file(host)) is not None:
        return True
    return bool(options.acme_storage and _is_stored(host, options.acme_storage))


def find_refusal(host: str, log_file: Path) -> str:
    """The last error about the host's certificate in the tail of Traefik's JSON log, shortened. Blocking."""
    for line in reversed(_read_tail(log_file).splitlines()):
        if b"ACME certificate" not in line:
            continue
        for name in (host, wildcard_of(host)):
            if name.encode() in line and (reason := _reason(line, name)):
                return reason
    return ""


def explain(error: str) -> str:
    """The authority's own words out of lego's error text, which names the host, problem type and URLs before them."""
    detail = " ".join(error.rsplit(" :: ", 1)[-1].split())
    short = detail.partition(", url: ")[0].strip(" ,\n]")
    return (short[:400] or "no reason given").rstrip(".") + "."


def _reason(line: bytes, host: str) -> str:
    try:
        entry = cast("dict[str, Any]", orjson.loads(line))
    except orjson.JSONDecodeError:
        return ""
    is_about = host in cast("Sequence[str]", entry.get("domains") or ())
    return explain(str(entry.get("error", ""))) if is_about and entry.get("level") == "error" else ""


def _is_missing(host: str, options: TraefikOptions, files: RouteFiles) -> bool:
    """Whether a route asks the authority for a certificate and there is none yet."""
    return _is_wanted(host, files) and not has_certificate(host, options, files)


def _is_wanted(host: str, files: RouteFiles) -> bool:
    contents = (orjson.loads(content) for content in files.read_all())
    routers = (router for content in contents for router in content.get("http", {}).get("routers", {}).values())
    return any(f"Host(`{host}`)" in router["rule"] for router in routers if router.get("tls", {}).get("certResolver"))


def _is_stored(host: str, storage: Path) -> bool:
    try:
        if storage.stat().st_size > _STORE_LIMIT:
            return False
        resolvers = cast("dict[str, dict[str, Any]]", orjson.loads(storage.read_bytes()))
    except (OSError, orjson.JSONDecodeError):
        return False
    domains = [one["domain"] for resolver in resolvers.values() for one in resolver.get("Certificates") or ()]
    names = {name for domain in domains for name in (domain.get("main"), *(domain.get("sans") or ()))}
    return not names.isdisjoint({host, wildcard_of(host)})


def _read_tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_TAIL))
            return file.read(_LOG_TAIL)
    except OSError:
        return b""


async def _find_dns_problem(host: str, public_addresses: Sequence[str]) -> str:
    try:
        async with asyncio.timeout(_DNS_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return f"{host} has no DNS record that this machine can find."
    addresses = sorted({str(entry[4][0]) for entry in found})
    if not public_addresses or set(addresses) & set(public_addresses):
        return ""
    return f"{host} leads to {', '.join(addresses)}, not to this machine ({', '.join(public_addresses)})."
