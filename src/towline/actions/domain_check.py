"""Whether a domain is ready for generated hosts: a name below it leads to this server."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from towline.actions.platform import Platform

LookUp = Callable[[str], Awaitable[Sequence[str] | None]]
_LOOK_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class DomainCheck:
    """What DNS says of a name below a domain; `problem` empty means that generated hosts can be reached."""

    domain: str
    host: str
    addresses: Sequence[str] = ()
    expected: Sequence[str] = ()
    problem: str = ""
    hint: str = ""


async def look_up(host: str) -> Sequence[str] | None:
    """Addresses of a host, none when it has none; None when DNS does not answer in time."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except TimeoutError:
        return None
    except (OSError, UnicodeError):
        return ()
    return sorted({str(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in found})


async def check_domain(platform: Platform, domain: str, *, look_up: LookUp = look_up) -> DomainCheck:
    """Look a name up that only a wildcard record answers for."""
    expected, host = platform.settings.public_addresses, f"towline-check.{domain}"
    if domain == "localhost" or domain.endswith(".localhost"):
        hint = "Only browsers on this machine reach it. For others, set a domain of your own."
        return DomainCheck(domain, host, expected=expected, hint=hint)
    addresses = await look_up(host)
    wanted = f"*.{domain}" + (f" to {' or '.join(expected)}" if expected else " to this server's address")
    if addresses is None:
        return DomainCheck(domain, host, expected=expected, problem="DNS did not answer in time.", hint="Try again.")
    if not addresses:
        problem = f"{host} has no address."
        return DomainCheck(domain, host, expected=expected, problem=problem, hint=f"Add a wildcard record: {wanted}.")
    found = DomainCheck(domain, host, addresses, expected)
    if not expected or set(addresses) & set(expected):
        return found
    problem = f"{host} leads to {', '.join(addresses)}, which is not this server."
    return DomainCheck(domain, host, addresses, expected, problem, f"Change the wildcard record: {wanted}.")
