"""A real OpenID provider (npm's oidc-provider) as a child process, and a browser that walks through its pages."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx2
from tests.conftest import wait_until
from tests.ports import free_port

_FOLDER: Final = Path(__file__).parent / "openid"
_FORM: Final = re.compile(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
CLIENT: Final = {"client_id": "towline", "client_secret": "s3cret/with+signs"}
ACCOUNTS: Final[Mapping[str, Mapping[str, object]]] = {
    "ann": {"email": "Ann@example.com", "email_verified": True, "name": "Ann"},
    "mallory": {"email": "ann@example.com", "email_verified": False, "name": "Mallory"},
    "eve": {"email": "eve@elsewhere.example", "email_verified": True, "name": "Eve"},
}


@dataclass
class OpenIdServer:
    """A provider that listens at `issuer`."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def issuer(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)


@dataclass
class Browser:
    """Keeps cookies and follows redirects, at Towline (hosts `towline.…`) through `towline`, elsewhere by network."""

    towline: httpx2.AsyncClient
    home: str
    elsewhere: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(trust_env=False))

    async def open(self, url: str, *, until: str = "") -> httpx2.Response:
        """GET and follow redirects, to the first page or to a redirect to an address that has `until` in it."""
        answer = await self._send("GET", url)
        return await self._follow(answer, until)

    async def submit(self, answer: httpx2.Response, *, until: str = "", **fields: str) -> httpx2.Response:
        """Send the first form of a page with these fields, and follow."""
        found = _FORM.search(answer.text)
        assert found is not None, answer.text
        hidden = {name: unescape(value) for name, value in _HIDDEN.findall(found[2])}
        url = urljoin(str(answer.url), unescape(found[1]))
        return await self._follow(await self._send("POST", url, data={**hidden, **fields}), until)

    async def sign_in_at_provider(self, page: httpx2.Response, login: str, *, until: str = "") -> httpx2.Response:
        """Through the provider's pages: who one is, then the consent."""
        answer = await self.submit(page, login=login, password="any")
        return await self.submit(answer, until=until)

    async def close(self) -> None:
        """Close what this browser opened."""
        await self.elsewhere.aclose()

    async def _follow(self, answer: httpx2.Response, until: str) -> httpx2.Response:
        for _ in range(10):
            location = answer.headers.get("location")
            if location is None or (until and until in location):
                return answer
            answer = await self._send("GET", urljoin(str(answer.url), location))
        raise AssertionError("too many redirects")

    async def _send(self, method: str, url: str, **options: Any) -> httpx2.Response:
        is_home = (urlsplit(url).hostname or "").startswith("towline.")
        headers = {"Accept": "text/html", **({"Origin": self.home} if is_home and method == "POST" else {})}
        client = self.towline if is_home else self.elsewhere
        return await client.request(method, url, headers=headers, follow_redirects=False, **options)


@contextmanager
def run_openid_server(redirect_uri: str, *, port: int = 0) -> Generator[OpenIdServer]:
    """A provider that knows Towline by its redirect address, and ACCOUNTS."""
    chosen = port or free_port()
    clients = [{**CLIENT, "redirect_uris": [redirect_uri]}]
    settings = json.dumps({"port": chosen, "clients": clients, "accounts": ACCOUNTS})
    folder = _installed()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(["node", "provider.mjs", settings], cwd=folder, stdout=log, stderr=log)
        server = OpenIdServer(chosen, process)
        try:
            wait_until(lambda: process.poll() is not None or _answers(chosen), timeout=30)
            log.seek(0)
            assert process.poll() is None, log.read().decode()
            yield server
        finally:
            server.stop()


def _installed() -> Path:
    """The provider with the packages of the lock file, installed once per lock file."""
    content = b"".join((_FOLDER / name).read_bytes() for name in ("package-lock.json", "provider.mjs"))
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "towline-tests"
    folder = base / f"openid-{hashlib.sha256(content).hexdigest()[:16]}"
    if folder.exists():
        return folder
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as temporary:
        draft = Path(temporary) / "openid"
        shutil.copytree(_FOLDER, draft)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=draft, check=True, capture_output=True, timeout=120)
        try:
            draft.rename(folder)
        except OSError:
            assert folder.exists()
    return folder


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
