"""A page that follows a service's log while 2,000 lines a second come: what it loses, and how long it stands still."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from bench.parts.bare import Engine
from bench.parts.browsing import Person
from playwright.sync_api import Browser, Page
from tests.running import RunningTowline, wait_for

from towline.supervise.installation import get_installation
from towline.supervise.layout import Layout

LINES_PER_SECOND: Final = 2000
_CHUNKS_PER_SECOND: Final = 20
_MARGIN_SECONDS: Final = 30
_WATCH: Final = """
window.watched = { shown: new Uint8Array(1 << 20), lines: 0, repeated: 0, longest: 0 };
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) watched.longest = Math.max(watched.longest, duration);
}).observe({ type: "longtask" });
document.addEventListener("DOMContentLoaded", () => {
  const list = document.querySelector(".log");
  if (!list) return;
  new MutationObserver((changes) => {
    for (const change of changes) for (const item of change.addedNodes) {
      const number = Number(/N(\\d+)E/.exec(item.textContent)?.[1] ?? 0);
      if (!number) continue;
      if (watched.shown[number]) watched.repeated += 1;
      else watched.lines += 1;
      watched.shown[number] = 1;
    }
  }).observe(list, { childList: true });
});
"""
_SEEN: Final = """() => ({
  lines: watched.lines, repeated: watched.repeated, longest: watched.longest,
  elements: document.querySelectorAll(".log li").length, heap: performance.memory.usedJSHeapSize / 1e6,
})"""
_BARE: Final = """<!doctype html><html lang="en"><title>Bare</title>
<style>.log { height: 65vh; overflow: auto; }</style><ol class="log"></ol><script type="module">
const list = document.querySelector(".log");
const reader = (await fetch("/lines")).body.pipeThrough(new TextDecoderStream()).getReader();
let rest = "";
for (;;) {
  const { done, value } = await reader.read();
  if (done) break;
  const parts = (rest + value).split("\\n");
  rest = parts.pop();
  for (const part of parts) {
    const item = document.createElement("li");
    item.textContent = JSON.parse(part).message;
    list.append(item);
  }
  list.scrollTop = list.scrollHeight;
}
</script></html>"""


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of following: lines that were not shown or shown twice, and the longest task in milliseconds."""

    lost: int
    longest_ms: float
    elements: int
    heap_mb: float

    def in_words(self) -> str:
        """All of it in one line."""
        return (
            f"{self.lost} lost, longest task {self.longest_ms:.0f} ms, "
            f"{self.elements} elements and {self.heap_mb:.0f} MB at the end"
        )


def follow_service(browser: Browser, person: Person, towline: RunningTowline, path: str, *, count: int) -> Followed:
    """The page at `path` shows the log of the service `follow`, which waits for a signal to print so many lines."""
    page = browser.new_page()
    page.goto(f"{person.url}/sign-in")
    person.sign_in(page)
    page.add_init_script(_WATCH)
    page.goto(f"{person.url}{path}")
    page.locator(".log li", has_text="ready").wait_for()
    installation_id = get_installation(Layout(towline.folder)).installation_id
    engine, labels = Engine(), {"towline__instance-of": installation_id, "towline__service": "follow"}
    (container,) = engine.list_containers(**labels)
    page.evaluate("watched.longest = 0")
    engine.ask("POST", f"/containers/{container['Id']}/kill?signal=USR1")
    return _watch(page, count)


def follow_bare(browser: Browser, *, count: int) -> Followed:
    """A bare page, which gets the same number of lines as evenly from a bare server and adds each to a list."""
    with _serving(count) as url:
        page = browser.new_page()
        page.add_init_script(_WATCH)
        page.goto(url)
        return _watch(page, count)


def _watch(page: Page, count: int) -> Followed:
    deadline = time.monotonic() + count / LINES_PER_SECOND + _MARGIN_SECONDS

    def find_end() -> dict[str, Any] | None:
        seen: dict[str, Any] = page.evaluate(_SEEN)
        return seen if seen["lines"] >= count or time.monotonic() > deadline else None

    seen = wait_for(find_end, timeout=count / LINES_PER_SECOND + 2 * _MARGIN_SECONDS, interval=0.5)
    page.context.close()
    return Followed(count - seen["lines"] + seen["repeated"], seen["longest"], seen["elements"], seen["heap"])


@contextmanager
def _serving(count: int) -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(count))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def _answering(count: int) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        """The bare page, and its lines."""

        def do_GET(self) -> None:
            """Answer one request."""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.path == "/lines":
                self._send_lines()
            elif self.path == "/":
                self.wfile.write(_BARE.encode())

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

        def _send_lines(self) -> None:
            size, began_at = LINES_PER_SECOND // _CHUNKS_PER_SECOND, time.monotonic()
            for first in range(1, count + 1, size):
                time.sleep(max(0.0, began_at + first / LINES_PER_SECOND - time.monotonic()))
                numbers = range(first, min(first + size, count + 1))
                lines = [{"sequence": number, "message": f"T{time.time_ns()}N{number}E"} for number in numbers]
                self.wfile.write("".join(f"{json.dumps(line)}\n" for line in lines).encode())

    return Answer
