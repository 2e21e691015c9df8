"""A person signed in at the dashboard, and how large and how slow its pages are."""

import gzip
import http.client
import json
import re
import time
from dataclasses import dataclass, field
from typing import Final

_ASSET: Final = re.compile(r'(?:src|href)="(/_towline/assets/[a-z0-9.]+)"|from "\./([a-z0-9]+\.js)"')


@dataclass
class Visitor:
    """A browser on a kept connection to the API process; `host` is the dashboard's own."""

    port: int
    host: str
    cookie: str = ""
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def sign_in(self, email: str, password: str) -> None:
        """Sign in as the sign-in page does."""
        body = json.dumps({"email": email, "password": password})
        headers = {"Host": self.host, "Origin": f"http://{self.host}", "Content-Type": "application/json"}
        self.connection.request("POST", "/api/v1/sessions", body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status in {200, 201}, f"the sign-in was answered with {answer.status}: {content[:300]!r}"
        self.cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]

    def get(self, path: str) -> tuple[bytes, int, float]:
        """A page: its text, its bytes as sent, and the seconds until it was there."""
        began_at = time.perf_counter()
        headers = {"Host": self.host, "Cookie": self.cookie, "Accept-Encoding": "gzip"}
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - began_at
        assert answer.status == 200, f"{path} was answered with {answer.status}: {body[:300]!r}"
        text = gzip.decompress(body) if answer.getheader("Content-Encoding") == "gzip" else body
        return text, len(body), seconds

    def weigh(self, path: str) -> tuple[int, int]:
        """Bytes of a page with everything it loads, and of the page alone."""
        text, own, _ = self.get(path)
        wanted, seen, whole = _assets_of(text), set[str](), own
        while wanted:
            asset = wanted.pop()
            if asset in seen:
                continue
            seen.add(asset)
            content, size, _ = self.get(asset)
            whole += size
            wanted += _assets_of(content)
        return whole, own


def _assets_of(content: bytes) -> list[str]:
    found = _ASSET.findall(content.decode(errors="replace"))
    return [path or f"/_towline/assets/{name}" for path, name in found]
