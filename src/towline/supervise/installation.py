"""What must stay the same from one start to the next: the installation's id, its settings, ports and secrets."""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from towline import __version__
from towline.errors import Conflict, Forbidden, InvalidInput, NotFound
from towline.infra.private_files import write_private
from towline.infra.wishes import changing, granting
from towline.names import has_authority
from towline.supervise.layout import Layout
from towline.supervise.ports import PortState, choose_port, find_free_loopback_port, look_at_port

_FORMAT = 1
_NOT_KEPT = {"TOWLINE_DATA_DIR", "TOWLINE_BOOTSTRAP_API_KEY", "TOWLINE_SUPERVISOR"}
_BOOTSTRAP_KEY_LENGTH = 32
_INTERNAL_PORT = 7946
_UNPRIVILEGED = {80: 8080, 443: 8443}


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of an installation: two for the world, two on the loopback address, one on Docker's bridge."""

    http: int
    https: int
    api: int
    traefik_api: int
    internal: int


@dataclass(frozen=True, slots=True)
class Installation:
    """One data folder's Towline; `settings` are the TOWLINE_… variables that `towline up` was given so far."""

    installation_id: str
    settings: Mapping[str, str]
    ports: Ports
    example: str = ""
    format: int = _FORMAT

    @property
    def base_domain(self) -> str:
        """Domain of generated hosts."""
        return self.settings.get("TOWLINE_BASE_DOMAIN") or "localhost"

    @property
    def platform_host(self) -> str:
        """Host of the API and dashboard."""
        return self.settings.get("TOWLINE_PLATFORM_HOST") or f"towline.{self.base_domain}"

    @property
    def has_traefik(self) -> bool:
        """Whether Towline runs a Traefik of its own."""
        return self.settings.get("TOWLINE_ROUTING", "traefik") == "traefik"

    @property
    def platform_url(self) -> str:
        """Address of the API and dashboard as people reach it."""
        host = self.platform_host
        directory_url = self.settings.get("TOWLINE_ACME_DIRECTORY_URL") or "letsencrypt.org"
        if not has_authority(host, email=self.settings.get("TOWLINE_ACME_EMAIL", ""), directory_url=directory_url):
            return self.url_of(host)
        return f"https://{host}" if self.ports.https == 443 else f"https://{host}:{self.ports.https}"

    def url_of(self, host: str) -> str:
        """Plain HTTP address of a host of this installation."""
        if not self.has_traefik:
            return f"http://127.0.0.1:{self.ports.api}"
        return f"http://{host}" if self.ports.http == 80 else f"http://{host}:{self.ports.http}"

    @property
    def fingerprint(self) -> str:
        """Changes when the running processes no longer fit the settings or the installed code."""
        return self.fingerprint_of(code_stamp())

    def fingerprint_of(self, code: str) -> str:
        """The fingerprint of processes that run other code than what is installed now, by its stamp."""
        facts = (__version__, code, sorted(self.settings.items()), self.ports)
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def get_installation(layout: Layout) -> Installation:
    """The installation in a data folder; NotFound when there is none, Conflict when a newer Towline made it."""
    try:
        fields: dict[str, Any] = json.loads(layout.state_file.read_text())
        found = fields["format"]
        if found != _FORMAT:
            raise Conflict(
                f"The data folder {layout.root} was made by another version of Towline (format {found}).",
                hint="Install that version again, or give another folder with `--data DIR`.",
            )
        fields["ports"] = Ports(**fields["ports"])
        return Installation(**fields)
    except FileNotFoundError as error:
        raise NotFound(
            f"There is no Towline in {layout.root}.",
            hint="Start one with `towline up`, or name its folder with --data.",
        ) from error
    except (PermissionError, NotADirectoryError) as error:
        raise Forbidden(
            f"{layout.state_file} cannot be read: {error.strerror}.",
            hint="Run this as the user who ran `towline up`, or name another folder with --data.",
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise Conflict(
            f"{layout.state_file} is damaged: {error}.", hint="Restore it from a backup of the data folder."
        ) from error


def open_installation(layout: Layout, given: Mapping[str, str]) -> tuple[Installation, bool]:
    """The installation with newly given settings laid over the kept ones, saved; and whether it is new.

    A setting given as an empty text is forgotten. Ports are chosen once and kept until others are given. What the API
    wished for before and was not granted is granted, unless something else is given now.
    """
    with granting(layout.root) as wished:
        return _lay_over(layout, {**wished, **given})


def grant_wishes(layout: Layout) -> Installation:
    """The installation with what the API wished for, saved."""
    with granting(layout.root) as wished:
        installation = get_installation(layout)
        if wished:
            installation = replace(installation, settings={**installation.settings, **wished})
            save_installation(layout, installation)
        return installation


def note_example(layout: Layout, example: str) -> None:
    """Remember what became of the example; other changes made meanwhile stay, and wishes are the supervisor's."""
    with changing(layout.root):
        save_installation(layout, replace(get_installation(layout), example=example))


def _lay_over(layout: Layout, given: Mapping[str, str]) -> tuple[Installation, bool]:
    kept = {name: value for name, value in given.items() if name.startswith("TOWLINE_") and name not in _NOT_KEPT}
    try:
        before = get_installation(layout)
    except NotFound:
        before = None
    settings = {name: value for name, value in {**(before.settings if before else {}), **kept}.items() if value}
    ports = _choose_ports(settings, before=before)
    if before is None:
        installation = Installation(f"twl{secrets.token_hex(6)}", settings, ports)
    else:
        installation = replace(before, settings=settings, ports=ports)
    save_installation(layout, installation)
    return installation, before is None


def save_installation(layout: Layout, installation: Installation) -> None:
    """Write the state file in one step, for this user's eyes alone."""
    write_private(layout.state_file, json.dumps(asdict(installation), indent=2) + "\n")


def traefik_api_password(layout: Layout) -> str:
    """Password of Traefik's API, made at the first call."""
    return _kept_secret(layout.keys / "traefik-api-password")


def local_api_key(layout: Layout) -> str:
    """Administrator's key for this machine's owner: TOWLINE_BOOTSTRAP_API_KEY of the first start, or a new one."""
    given = os.environ.get("TOWLINE_BOOTSTRAP_API_KEY", "")
    if given and len(given) < _BOOTSTRAP_KEY_LENGTH:
        raise InvalidInput(
            f"TOWLINE_BOOTSTRAP_API_KEY has {len(given)} characters, fewer than {_BOOTSTRAP_KEY_LENGTH}.",
            hint="Make one with `openssl rand -hex 32`.",
        )
    return _kept_secret(layout.keys / "local-api-key", given=given, prefix="twl_")


def code_stamp(package: Path = Path(__file__).parents[1]) -> str:
    """Changes with any file of the package: a checkout is updated without a new version number."""
    files = [path for path in sorted(package.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    facts = [(str(path), status.st_size, status.st_mtime_ns) for path in files for status in [path.stat()]]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _kept_secret(path: Path, *, given: str = "", prefix: str = "") -> str:
    if path.exists():
        return path.read_text().strip()
    secret = given or prefix + secrets.token_urlsafe(32)
    write_private(path, secret + "\n")
    return secret


def _choose_ports(settings: Mapping[str, str], *, before: Installation | None) -> Ports:
    api = before.ports.api if before else _read_port(settings, "TOWLINE_API_PORT") or find_free_loopback_port()
    return Ports(
        http=_public_port(settings, "TOWLINE_HTTP_PORT", preferred=80, kept=before.ports.http if before else 0),
        https=_public_port(settings, "TOWLINE_HTTPS_PORT", preferred=443, kept=before.ports.https if before else 0),
        api=_read_port(settings, "TOWLINE_API_PORT") or api,
        traefik_api=before.ports.traefik_api if before else _other_port(api),
        internal=_read_port(settings, "TOWLINE_INTERNAL_PORT")
        or (before.ports.internal if before else _internal_port()),
    )


def _public_port(settings: Mapping[str, str], name: str, *, preferred: int, kept: int) -> int:
    wanted = _read_port(settings, name)
    if wanted and wanted != kept and (state := look_at_port(wanted)) is not PortState.FREE:
        raise InvalidInput(
            f"Port {wanted} is {state}.", hint="Give a free port with --port and --https-port, or stop that program."
        )
    return wanted or kept or choose_port(preferred, _UNPRIVILEGED[preferred])


def _internal_port() -> int:
    return choose_port(_INTERNAL_PORT, _INTERNAL_PORT + 1)


def _read_port(settings: Mapping[str, str], name: str) -> int:
    text = settings.get(name, "0")
    if not text.isdigit() or int(text) > 65_535:
        raise InvalidInput(f"{name} {text!r} is not a port number.", hint="Give a number from 1 to 65535.")
    return int(text)


def _other_port(taken: int) -> int:
    while (port := find_free_loopback_port()) == taken:
        pass
    return port
