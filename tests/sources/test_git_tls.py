"""HTTPS with certificates that are trusted, and one that is not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sources.certificates import own_address, server_context, write_certificate
from tests.sources.conftest import Reported
from tests.sources.requests import a_request
from tests.sources.servers import GitServer, Repository, serve_git

from towline.errors import InvalidInput, SourceUnavailable
from towline.sources.git.source import GitSource


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for the loopback address and another of this machine's, with its key in the same file."""
    return write_certificate(tmp_path / "certificate.pem")


@pytest.fixture
def secure_server(served: Path, certificate: Path) -> Iterator[GitServer]:
    with serve_git(served, tls=server_context(certificate)) as server:
        yield server


async def test_trusted_certificate_is_accepted(
    source: GitSource,
    repository: Repository,
    secure_server: GitServer,
    certificate: Path,
    report: Reported,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    bundle = await source.fetch_source(a_request(f"{secure_server.url}/shop/.git"), report)
    assert bundle.revision == repository.git("rev-parse", "HEAD")


async def test_other_certificate_is_refused_with_the_reason(
    source: GitSource, repository: Repository, secure_server: GitServer, report: Reported
) -> None:
    with pytest.raises(SourceUnavailable, match="certificate"):
        await source.fetch_source(a_request(f"{secure_server.url}/shop/.git"), report)


async def test_redirects_are_followed_and_none_leads_to_this_machine_or_to_instances(
    source: GitSource,
    repository: Repository,
    served: Path,
    certificate: Path,
    report: Reported,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    context = server_context(certificate)
    with (
        serve_git(served, tls=context, address=own_address()) as old,
        serve_git(served, tls=context, address=own_address()) as new,
    ):
        request = replace(a_request(f"{old.url}/shop/.git"), allows_local=False)
        old.redirect_to = new.url
        assert (await source.fetch_source(request, report)).revision == repository.git("rev-parse", "HEAD")
        assert await source.authenticate(request)
        with pytest.raises(InvalidInput, match="network of Towline's instances"):
            await source.fetch_source(replace(request, closed_networks=(f"{own_address()}/32",)), report)
        for target in ("https://127.0.0.1:1", "https://localhost:1"):
            old.redirect_to = target
            with pytest.raises(InvalidInput, match="this machine"):
                await source.fetch_source(request, report)
        old.redirect_to = old.url
        with pytest.raises(SourceUnavailable, match="one redirect to the next"):
            await source.fetch_source(request, report)
