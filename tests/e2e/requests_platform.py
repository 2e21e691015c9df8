"""A git server whose repositories are pushed to, and which tells of pushes and pull requests as GitHub does."""

import hashlib
import hmac
import json
import secrets
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
from tests.e2e.parts import write_tree
from tests.sources.certificates import own_address, server_context
from tests.sources.servers import Repository, create_repository, git, serve_git

from towline.client.transport import LocalhostTransport
from towline.contract.hooks import NewHook

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True, slots=True)
class GitPlatform:
    """The platform: `shop.git` is the repository, `fork.git` a stranger's copy of it, `clone` a developer's.

    Towline may not be told to fetch from this machine's loopback: the server has another of its addresses, and HTTPS.
    """

    folder: Path
    url: str
    certificate: Path
    clone: Repository
    hook: NewHook | None = None

    @property
    def repository_url(self) -> str:
        """The address of the repository."""
        return f"{self.url}/shop.git"

    def connect(self, hook: NewHook) -> "GitPlatform":
        """The same platform telling a hook from now on."""
        return replace(self, hook=hook)

    def push(self, branch: str, files: Mapping[str, bytes], *, to: str = "shop") -> str:
        """Commit files and push them with the real git over HTTPS; the commit's id."""
        self.clone.git("checkout", "--quiet", "-B", branch)
        write_tree(self.clone.folder, files)
        revision = self.clone.commit_all(f"Work on {branch}")
        address = f"{self.url}/{to}.git"
        trusted = f"http.sslCAInfo={self.certificate}"
        command = ["git", "-c", trusted, "push", "--quiet", "--force", "--", address, f"HEAD:refs/heads/{branch}"]
        folder, environment = self.clone.folder, {**_ENVIRONMENT, "HOME": str(self.folder)}
        pushed = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert pushed.returncode == 0, pushed.stderr
        return revision

    def tell_of_push(self, branch: str, revision: str) -> None:
        """Send the webhook of a push."""
        content = {"ref": f"refs/heads/{branch}", "before": "0" * 40, "after": revision}
        self._tell("push", {**content, "head_commit": {"message": "Change"}})

    def tell_of_request(
        self, action: str, number: int, revision: str, *, branch: str = "topic", is_fork: bool = False
    ) -> None:
        """Have a request's head in the repository, as GitHub keeps it, and send the webhook."""
        if is_fork:
            self._git("fetch", "--quiet", str(self.folder / "fork.git"), revision)
        self._git("update-ref", f"refs/pull/{number}/head", revision)
        head = {"ref": branch, "sha": revision, "repo": {"id": 2 if is_fork else 1}}
        state = "closed" if action == "closed" else "open"
        base = {"ref": "main", "repo": {"id": 1}}
        request = {"number": number, "title": "New cart", "state": state, "head": head, "base": base}
        self._tell("pull_request", {"action": action, "number": number, "pull_request": request})

    def _git(self, *arguments: str) -> None:
        git(*arguments, folder=self.folder / "shop.git")

    def _tell(self, event: str, content: dict[str, Any]) -> None:
        assert self.hook is not None
        repository = {"id": 1, "clone_url": self.repository_url, "default_branch": "main"}
        body = json.dumps({**content, "repository": repository, "sender": {"login": "ada"}}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": secrets.token_hex(16),
            "X-Hub-Signature-256": "sha256=" + hmac.new(self.hook.secret.encode(), body, hashlib.sha256).hexdigest(),
        }
        with httpx2.Client(transport=LocalhostTransport(), timeout=60) as client:
            answer = client.post(self.hook.url, content=body, headers=headers)
        assert answer.status_code == 202, answer.text


@contextmanager
def running_platform(folder: Path, certificate: Path) -> Generator[GitPlatform]:
    """A platform with an empty repository, below a folder; who fetches from it has to trust the certificate."""
    served = folder / "served"
    served.mkdir()
    for name in ("shop.git", "fork.git"):
        git("init", "--quiet", "--bare", "--initial-branch=main", name, folder=served)
        for setting in ("http.receivepack", "uploadpack.allowAnySHA1InWant"):
            git("config", setting, "true", folder=served / name)
    clone = create_repository(folder / "clone")
    with serve_git(served, tls=server_context(certificate), address=own_address()) as server:
        yield GitPlatform(served, server.url, certificate, clone)
