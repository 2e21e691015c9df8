"""The log of a page against a log of 100,000 lines that goes on fast: bounded, in order, without gap or repetition."""

import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import towline.web.dashboard

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
_STATIC: Final = Path(towline.web.dashboard.__file__).parent / "static"
_KEPT: Final = 100_000
_MORE: Final = 6_000
_SHOWN: Final = 5_000
_FOLLOWED: Final = 200
_PATIENCE: Final = 90_000
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log</title>
<link rel="stylesheet" href="/towline.css"><script type="module" src="/log.js"></script></head><body><main>
<div data-log="/logs" data-next="{next}"><p><label data-follow hidden><input type="checkbox" checked> Follow</label>
<span data-log-state role="status"></span></p><p><a data-earlier href="#">Earlier lines</a></p>
<ol class="log" tabindex="0" aria-label="Log">{lines}</ol></div></main></body></html>"""


@dataclass
class LongLog:
    """A log as the API answers for it; followers get what comes after `go` was set, and are cut off now and then."""

    last: int = _KEPT
    go: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    asked: list[int] = field(default_factory=list[int])

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """Lines before a number, behind one, or the last ones."""
        last = min(self.last, int(query.get("before", self.last + 1)) - 1)
        first = max(1, last - int(query["tail"]) + 1) if "tail" in query else int(query.get("since", 1))
        if "tail" not in query:
            last = min(last, first + int(query.get("limit", 1000)) - 1)
        lines = [line(number) for number in range(first, last + 1)]
        return {"items": lines, "next_sequence": last + 1}


def line(number: int) -> dict[str, Any]:
    """One line of it."""
    at, said = "2026-08-01T12:00:00Z", f"line {number}"
    return {"sequence": number, "at": at, "stream": "stdout", "level": "info", "message": said, "instance_id": None}


class LogServer(ThreadingHTTPServer):
    """The page's own modules, and a log."""

    daemon_threads = True

    def __init__(self, log: LongLog) -> None:
        self.log = log
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(BaseHTTPRequestHandler):
    """Answers the page, a module, or a part of the log."""

    def do_GET(self) -> None:
        """Answer one request."""
        parts, log = urlsplit(self.path), self._log()
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/":
            shown = "".join(_item(one["sequence"]) for one in log.page({"tail": "300"})["items"])
            self._send(_PAGE.format(next=log.last + 1, lines=shown), "text/html")
        elif parts.path != "/logs":
            file = _STATIC / Path(parts.path).name
            self._send(file.read_text(), _TYPES[file.suffix])
        elif "follow" in query:
            self._follow(log, int(query["since"]))
        else:
            self._send(json.dumps(log.page(query)), "application/json")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""

    def _log(self) -> LongLog:
        assert isinstance(self.server, LogServer)
        return self.server.log

    def _follow(self, log: LongLog, first: int) -> None:
        """Lines as fast as they are taken; every 1,500 the connection breaks, and after the last one it waits."""
        log.asked.append(first)
        self.send_response(200)
        self.end_headers()
        log.go.wait(60)
        end = min(first + 1500, _KEPT + _MORE + 1)
        for number in range(first, end):
            self.wfile.write(json.dumps(line(number)).encode() + b"\n")
            log.last = max(log.last, number)
        if end > _KEPT + _MORE:
            self.wfile.flush()
            log.over.wait(120)

    def _send(self, content: str, kind: str) -> None:
        body = content.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(log: LongLog) -> Generator[str]:
    """Serve a log on a port of this machine; the address of its page."""
    server = LogServer(log)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        log.go.set()
        log.over.set()
        server.shutdown()
        server.server_close()


def _item(number: int) -> str:
    return f'<li class="info" data-sequence="{number}"><time>12:00:00</time><span>line {number}</span></li>'


def numbers_of(page: Page) -> list[int]:
    """Numbers of the lines that are shown."""
    said = page.locator(".log").evaluate("list => Array.from(list.children, (item) => item.lastChild.textContent)")
    return [int(re.sub(r"\D", "", text)) for text in said]


def test_lines_that_come_fast_are_shown_once_each_across_cut_connections(context: BrowserContext) -> None:
    log, page = LongLog(), context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    with serving(log) as url:
        page.goto(url)
        expect(page.locator(".log li")).to_have_count(300, timeout=_PATIENCE)
        log.go.set()
        newest = page.locator(".log li").last
        expect(newest).to_have_text(re.compile(f"line {_KEPT + _MORE}$"), timeout=_PATIENCE)
        shown = numbers_of(page)
        assert shown == list(range(_KEPT + _MORE - _FOLLOWED + 1, _KEPT + _MORE + 1))
        assert log.asked == sorted(set(log.asked))
        assert len(log.asked) > 3
    assert faults == []


def test_earlier_lines_come_where_the_reader_scrolls_and_following_leads_back(context: BrowserContext) -> None:
    log, page = LongLog(), context.new_page()
    with serving(log) as url:
        page.goto(url)
        page.get_by_role("link", name="Earlier lines").click()
        expect(page.locator(".log li").first).to_have_text(re.compile(f"line {_KEPT - 1299}$"), timeout=_PATIENCE)
        expect(page.get_by_label("Follow")).not_to_be_checked(timeout=_PATIENCE)
        for count in range(2, 7):
            page.get_by_role("link", name="Earlier lines").click()
            expect(page.locator(".log li").first).to_have_text(
                re.compile(f"line {_KEPT - 299 - 1000 * count}$"), timeout=_PATIENCE
            )
        shown = numbers_of(page)
        assert len(shown) == _SHOWN
        assert shown == list(range(shown[0], shown[0] + _SHOWN))
        expect(page.get_by_text("There are later lines")).to_be_visible(timeout=_PATIENCE)
        page.get_by_label("Follow").check()
        expect(page.locator(".log li").last).to_have_text(re.compile(f"line {_KEPT}$"), timeout=_PATIENCE)
        assert numbers_of(page) == list(range(_KEPT - 999, _KEPT + 1))


def test_an_address_leads_to_a_line_and_a_line_tells_its_address(context: BrowserContext) -> None:
    log, page = LongLog(), context.new_page()
    with serving(log) as url:
        page.goto(f"{url}#line-70000")
        named = page.locator(".log [aria-current]")
        expect(named).to_have_text(re.compile("line 70000$"), timeout=_PATIENCE)
        expect(named).to_be_in_viewport(timeout=_PATIENCE)
        expect(page.get_by_label("Follow")).not_to_be_checked(timeout=_PATIENCE)
        page.locator(".log li", has_text=re.compile("line 70003$")).locator("time").click()
        expect(named).to_have_text(re.compile("line 70003$"), timeout=_PATIENCE)
        assert page.url == f"{url}#line-70003"


def test_an_answer_that_is_silent_for_too_long_is_asked_for_again(context: BrowserContext) -> None:
    log, page = LongLog(), context.new_page()
    page.clock.install()
    with serving(log) as url:
        with page.expect_request("**/logs?*follow=true*"):
            page.goto(url)
        with page.expect_request("**/logs?*follow=true*", timeout=_PATIENCE):
            page.clock.run_for(60_000)
