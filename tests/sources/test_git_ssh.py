"""Deploy keys and host keys against a real sshd (Debian package openssh-server)."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sources.conftest import Reported
from tests.sources.requests import a_request, command_lines, is_empty
from tests.sources.servers import Repository, SshServer, serve_ssh

from towline.errors import SourceUnavailable
from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage
from towline.values import Credential

pytestmark = pytest.mark.skipif(
    shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") is None, reason="needs the package openssh-server"
)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[SshServer]:
    with serve_ssh(tmp_path / "sshd") as server:
        yield server


async def test_deploy_key_opens_a_repository_and_stays_out_of_the_process_list(
    source: GitSource, repository: Repository, sshd: SshServer, report: Reported, scratch: Path
) -> None:
    request = replace(
        a_request(f"ssh://127.0.0.1:{sshd.port}{repository.folder}"),
        credential=Credential(ssh_key=sshd.private_key.replace("\n", "\r\n"), known_hosts=sshd.host_key),
    )
    bundle = await source.fetch_source(request, report)
    assert bundle.revision == repository.git("rev-parse", "HEAD")
    assert await source.authenticate(request)
    assert not [line for line in command_lines() if "PRIVATE KEY" in line]
    assert is_empty(scratch)


async def test_other_host_key_is_refused(
    source: GitSource, repository: Repository, sshd: SshServer, report: Reported, tmp_path: Path
) -> None:
    other = f"[127.0.0.1]:{sshd.port} {(tmp_path / 'sshd' / 'client.pub').read_text()}"
    request = replace(
        a_request(f"ssh://127.0.0.1:{sshd.port}{repository.folder}"),
        credential=Credential(ssh_key=sshd.private_key, known_hosts=other),
    )
    with pytest.raises(SourceUnavailable, match="host key"):
        await source.fetch_source(request, report)
    assert not await source.authenticate(request)


async def test_first_host_key_is_kept_for_the_next_time(
    storage: LocalStorage, scratch: Path, tmp_path: Path, repository: Repository, sshd: SshServer, report: Reported
) -> None:
    known_hosts = tmp_path / "known hosts"
    source = GitSource(storage.store_tree, scratch, known_hosts=known_hosts)
    request = replace(
        a_request(f"ssh://127.0.0.1:{sshd.port}{repository.folder}"), credential=Credential(ssh_key=sshd.private_key)
    )
    await source.fetch_source(request, report)
    assert sshd.host_key.strip() in known_hosts.read_text()
    known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {(tmp_path / 'sshd' / 'client.pub').read_text()}")
    assert not await source.authenticate(request)


async def test_missing_and_wrong_keys_say_what_to_do(
    source: GitSource, repository: Repository, sshd: SshServer, report: Reported, tmp_path: Path
) -> None:
    request = a_request(f"ssh://127.0.0.1:{sshd.port}{repository.folder}")
    with pytest.raises(SourceUnavailable, match="asks for an SSH key"):
        await source.fetch_source(request, report)
    wrong = Credential(ssh_key=(tmp_path / "sshd" / "host").read_text())
    with pytest.raises(SourceUnavailable, match="refused the credential"):
        await source.fetch_source(replace(request, credential=wrong), report)
    garbage = Credential(ssh_key="no key at all")
    with pytest.raises(SourceUnavailable, match="refused the credential"):
        await source.fetch_source(replace(request, credential=garbage), report)
