"""Where the server's address and the API key come from."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from towline.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from towline.supervise.installation import get_installation
from towline.supervise.options import layout_of

_LOCAL_KEY_NAME: Final = "local-api-key"


@dataclass(frozen=True, slots=True)
class Credentials:
    """One server and the key for it; `origin` says where they were found."""

    url: str
    api_key: str
    origin: str


@dataclass(frozen=True, slots=True)
class Login:
    """What `towline login` keeps of a server; `key_id` is empty for a key that it did not make itself."""

    url: str
    api_key: str
    key_id: str


def find_credentials(environment: Mapping[str, str], *, linked_url: str | None = None) -> Credentials | None:
    """The first of: TOWLINE_URL/TOWLINE_API_KEY, a stored login, this machine's own installation; None without any.

    A folder's linked address only picks among stored keys, so that a foreign folder cannot send a key elsewhere.
    """
    url, api_key = environment.get("TOWLINE_URL", ""), environment.get("TOWLINE_API_KEY", "")
    if url and api_key:
        return Credentials(url, api_key, "TOWLINE_URL and TOWLINE_API_KEY")
    stored = _find_stored(environment, wanted=url or linked_url) or _find_local(wanted=url or linked_url)
    if stored is None and not url:
        stored = _find_stored(environment, wanted=None) or _find_local(wanted=None)
    if api_key and stored is not None:
        return Credentials(stored.url, api_key, "TOWLINE_API_KEY")
    return Credentials(url, "", "TOWLINE_URL") if url and stored is None else stored


def get_credentials(environment: Mapping[str, str], *, linked_url: str | None = None) -> Credentials:
    """The credentials to use; Unauthenticated when there are none."""
    found = find_credentials(environment, linked_url=linked_url)
    if found is None:
        raise Unauthenticated(
            "No Towline server is known here.",
            hint="Run `towline up` or `towline login URL`; for a data folder of your own, set TOWLINE_DATA_DIR to it.",
        )
    return found


def find_login(environment: Mapping[str, str], *, url: str | None = None) -> Login | None:
    """The stored login of a server, or of the one that is the default."""
    content = _read_object(credentials_file(environment))
    wanted = url or str(content.get("default") or "")
    entry = _servers(content).get(wanted)
    return Login(wanted, str(entry["api_key"]), str(entry.get("key_id") or "")) if entry else None


def store_credentials(environment: Mapping[str, str], *, url: str, api_key: str, key_id: str = "") -> Path:
    """Keep a key for a server, for this user's eyes alone, and make that server the default; the file.

    `key_id` is given for a key of this machine's own, which nobody else uses.
    """
    path = credentials_file(environment)
    content = _read_object(path)
    servers = _servers(content)
    servers[url] = {"api_key": api_key, **({"key_id": key_id} if key_id else {})}
    _write(path, {"default": url, "servers": servers})
    return path


def delete_credentials(environment: Mapping[str, str], *, url: str) -> bool:
    """Forget the key of a server; whether there was one."""
    path = credentials_file(environment)
    content = _read_object(path)
    servers = _servers(content)
    if servers.pop(url, None) is None:
        return False
    default = content.get("default") if content.get("default") != url else next(iter(servers), None)
    _write(path, {"default": default, "servers": servers})
    return True


def credentials_file(environment: Mapping[str, str]) -> Path:
    """Where keys are stored (XDG Base Directory)."""
    base = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "towline" / "credentials.json"


def _find_stored(environment: Mapping[str, str], *, wanted: str | None) -> Credentials | None:
    path = credentials_file(environment)
    content = _read_object(path)
    url = wanted or content.get("default")
    entry = _servers(content).get(str(url).rstrip("/"))
    return Credentials(str(url).rstrip("/"), str(entry["api_key"]), str(path)) if entry else None


def _find_local(*, wanted: str | None) -> Credentials | None:
    """The installation in the data folder, over the loopback address, for whoever may read its key."""
    layout = layout_of(None)
    try:
        url = f"http://127.0.0.1:{get_installation(layout).ports.api}"
        api_key = (layout.keys / _LOCAL_KEY_NAME).read_text().strip()
    except (NotFound, Conflict, OSError):
        return None
    if wanted and wanted.rstrip("/") != url:
        return None
    return Credentials(url, api_key, f"this machine's installation in {layout.root}")


def _servers(content: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return cast("dict[str, dict[str, str]]", content.get("servers") or {})


def _read_object(path: Path) -> dict[str, Any]:
    """The file's JSON object; empty when there is no such file or it is not ours to read."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise InvalidInput(f"{path} is not valid JSON.", hint="Delete it and sign in again.") from error
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(content, file, indent=2)
    Path(file.name).replace(path)
