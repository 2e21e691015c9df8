"""How requests reach the server: `*.localhost` always means this machine, and nothing local goes through a proxy."""

import ipaddress
from typing import Final

import httpx2

LOOPBACK: Final = "127.0.0.1"


def is_localhost_name(host: str) -> bool:
    """Whether a host ends in `.localhost`, which is always this machine (RFC 6761) though not every resolver knows."""
    return host.rstrip(".").lower().endswith(".localhost")


def is_local(host: str) -> bool:
    """Whether a host is this machine by its name or address."""
    if host == "localhost" or is_localhost_name(host):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class LocalhostTransport(httpx2.BaseTransport):
    """Connects to 127.0.0.1 for `*.localhost`; the Host header and the TLS server name stay what was asked for."""

    def __init__(self) -> None:
        self._inner = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request, to the loopback address when its host is a `*.localhost` name."""
        host = request.url.host
        if not is_localhost_name(host):
            return self._inner.handle_request(request)
        return self._inner.handle_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(host=LOOPBACK),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        )

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()


def make_http_client(base_url: str, *, timeout: float, headers: dict[str, str]) -> httpx2.Client:
    """An HTTP client for one server; proxies of the environment are used for other machines only."""
    is_here = is_local(httpx2.URL(base_url).host)
    return httpx2.Client(
        base_url=base_url,
        timeout=timeout,
        headers=headers,
        transport=LocalhostTransport() if is_here else None,
        trust_env=not is_here,
    )
