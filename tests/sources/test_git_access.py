"""Servers that ask for a password or misbehave, what they get to see, and who may fetch from where."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sources.conftest import Reported
from tests.sources.requests import SECRET, a_request, command_lines
from tests.sources.servers import GitServer, Repository, create_repository, serve_git, serve_silence

from towline.errors import InvalidInput, SourceUnavailable
from towline.sources.git.source import GitSource
from towline.values import Credential


class TestHttp:
    """A server that speaks HTTP, with and without a password."""

    async def test_password_opens_a_private_repository_and_is_seen_nowhere(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported, scratch: Path
    ) -> None:
        leaks: list[str] = []

        def look() -> None:
            leaks.extend(line for line in command_lines() if SECRET in line)
            leaks.extend(
                str(path) for path in scratch.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
            )

        server.require("deploy", SECRET)
        server.on_request = look
        request = replace(a_request(f"{server.url}/shop/.git"), credential=Credential("deploy", SECRET))
        bundle = await source.fetch_source(request, report)
        assert bundle.revision == repository.git("rev-parse", "HEAD")
        assert len(server.seen) > 2
        assert not leaks
        assert not any(SECRET in line for line in report.lines)
        assert await source.authenticate(request)

    async def test_missing_and_wrong_passwords_say_what_to_do(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported
    ) -> None:
        server.require("deploy", SECRET)
        request = a_request(f"{server.url}/shop/.git")
        with pytest.raises(SourceUnavailable, match="asks for a user name and password") as missing:
            await source.fetch_source(request, report)
        assert "credential" in missing.value.hint
        wrong = replace(request, credential=Credential("deploy", "wrong-password"))
        with pytest.raises(SourceUnavailable, match="refused the credential") as refused:
            await source.fetch_source(wrong, report)
        assert "wrong-password" not in str(refused.value)
        assert not await source.authenticate(request)
        assert not await source.authenticate(wrong)

    async def test_password_does_not_follow_a_redirect_to_another_server(
        self, source: GitSource, repository: Repository, server: GitServer, served: Path, report: Reported
    ) -> None:
        with serve_git(served) as other:
            other.require("deploy", SECRET)
            server.redirect_to = other.url
            request = replace(a_request(f"{server.url}/shop/.git"), credential=Credential("deploy", SECRET))
            with pytest.raises(SourceUnavailable):
                await source.fetch_source(request, report)
            assert other.seen
            assert set(other.seen) == {""}

    async def test_redirect_to_another_protocol_is_refused(
        self, source: GitSource, repository: Repository, server: GitServer, served: Path, report: Reported
    ) -> None:
        server.redirect_to = f"file://{served}"
        with pytest.raises(SourceUnavailable):
            await source.fetch_source(a_request(f"{server.url}/shop/.git"), report)

    async def test_repository_that_is_not_there_is_named(
        self, source: GitSource, server: GitServer, served: Path, report: Reported
    ) -> None:
        for url in (f"{server.url}/nothing/.git", f"file://{served}/nothing"):
            with pytest.raises(SourceUnavailable, match=r"no repository at .*/nothing"):
                await source.fetch_source(a_request(url), report)
            assert not await source.authenticate(a_request(url))

    async def test_missing_ref_is_named(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported
    ) -> None:
        for ref in ("no/such-branch", "0" * 39 + "1"):
            for url in (f"{server.url}/shop/.git", repository.url):
                with pytest.raises(SourceUnavailable, match=ref):
                    await source.fetch_source(a_request(url, ref), report)

    async def test_empty_repository_says_so(
        self, source: GitSource, server: GitServer, served: Path, report: Reported
    ) -> None:
        create_repository(served / "empty")
        with pytest.raises(SourceUnavailable, match="no commit yet"):
            await source.fetch_source(a_request(f"{server.url}/empty/.git"), report)

    async def test_commit_is_found_in_the_history_when_the_server_gives_no_single_commits(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported
    ) -> None:
        server.passes_protocol = False
        first = repository.git("rev-parse", "HEAD")
        repository.commit(Dockerfile="FROM busybox\n")
        bundle = await source.fetch_source(a_request(f"{server.url}/shop/.git", first), report)
        assert bundle.revision == first
        assert any("whole history" in line for line in report.lines)

    async def test_server_that_is_no_git_server_is_named(self, source: GitSource, report: Reported) -> None:
        with serve_silence() as url:
            closed = url
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await source.fetch_source(a_request(closed), report)


class TestAllowed:
    """Who may fetch from where."""

    @pytest.mark.parametrize(
        "url",
        [
            "file:///srv/shop.git",
            "http://localhost/shop.git",
            "https://127.0.0.1/shop.git",
            "https://127.1/shop.git",
            "https://2130706433/shop.git",
            "https://[::1]/shop.git",
            "https://[::ffff:127.0.0.1]/shop.git",
            "https://169.254.169.254/latest",
            "https://0.0.0.0/shop.git",
            "ssh://git@localhost/shop.git",
            "git@localhost:shop.git",
            "git@api.localhost:shop.git",
        ],
    )
    async def test_this_machine_is_for_administrators(self, source: GitSource, report: Reported, url: str) -> None:
        request = replace(a_request(url), allows_local=False)
        with pytest.raises(InvalidInput) as refused:
            await source.fetch_source(request, report)
        assert refused.value.field == "url"
        with pytest.raises(InvalidInput):
            await source.authenticate(request)

    @pytest.mark.parametrize("url", ["https://git.example.com/shop.git", "git@git.example.com:shop.git"])
    async def test_a_name_that_leads_nowhere_is_not_looked_up_by_git(
        self, source: GitSource, report: Reported, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its owner could let it lead to this machine by then; that some hosts need no proxy makes none."""
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv("no_proxy", "git.example.com")

        def look_up(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_AGAIN, "not now")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        with pytest.raises(SourceUnavailable, match="not known here"):
            await source.fetch_source(replace(a_request(url), allows_local=False), report)
