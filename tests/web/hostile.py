"""What strangers may call their branches, requests, files and themselves, and commits that really do."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.e2e.requests_platform import GitPlatform
from tests.sources.servers import git
from tests.web.door import Door

from towline.contract.hooks import NewHook

PLAIN: Final = "topic"
_LONGEST_FILE: Final = 200


def hostile_texts(marker: Path) -> list[str]:
    """Texts, of which each that a shell or a template would obey makes the file `marker`."""
    return [
        f"--upload-pack=touch {marker}",
        f"a'b\"c;d|e&f>g$(touch {marker})`touch {marker}`",
        f"'; touch {marker}; \"; touch {marker} #\n-x\r\n\ttouch {marker}\n",
        "../../../etc/passwd",
        "\u202egnp.exe\u2066\u200b<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
        "{{ 7 * 7 }} {% raw %} ${{ services.web.variables.KEY }} %s%n",
        "| x | [y](http://z) ![z](http://y) @everyone <!-- \\` ** ```",
        "refs/heads/main",
        "\x00nul\x1b[31m\ud800",
        "x" * 10_000,
    ]


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who opens requests and pushes branches by hostile names, from the platform's side."""

    door: Door
    platform: GitPlatform
    hook: NewHook

    def commit(self, text: str) -> str:
        """A commit whose author, message and file are called so, as far as git allows; its id."""
        folder = self.platform.folder / "shop.git"
        name = text.replace("/", "_").replace("\0", "").encode(errors="replace")[:_LONGEST_FILE]
        files = {b"Dockerfile": b"FROM app\n", name: text.encode(errors="replace")}
        blobs = {path: git("hash-object", "-w", "--stdin", folder=folder, stdin=body) for path, body in files.items()}
        entries = b"".join(b"100644 blob %s\t%s\0" % (blob.encode(), path) for path, blob in blobs.items())
        tree = git("mktree", "-z", folder=folder, stdin=entries)
        author = "".join(letter for letter in text if letter not in "\0\r\n<>").encode(errors="surrogatepass")
        by = (author or b"nobody") + b" <a@example.com> 1767225600 +0000"
        said = text.replace("\0", "").encode(errors="surrogatepass")
        body = b"tree %s\nauthor %s\ncommitter %s\n\n%s\n" % (tree.encode(), by, by, said)
        return git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", folder=folder, stdin=body)

    async def open_request(self, number: int, text: str, revision: str) -> None:
        """A request whose branch, title and author are called so."""
        git("update-ref", f"refs/pull/{number}/head", revision, folder=self.platform.folder / "shop.git")
        head = {"ref": text, "label": text, "sha": revision, "repo": {"id": 1}, "user": {"login": text}}
        base = {"ref": "main", "repo": {"id": 1}}
        request = {"number": number, "title": text, "body": text, "user": {"login": text}, "head": head, "base": base}
        await self._tell("pull_request", {"action": "opened", "number": number, "pull_request": request}, by=text)

    async def push_branch(self, text: str, revision: str) -> None:
        """A push to a branch of that name, which changes a file of that name."""
        commit = {"added": [text], "removed": [text], "modified": [text], "message": text, "author": {"name": text}}
        pushed = {"ref": f"refs/heads/{text}", "before": "1" * 40, "after": revision, "head_commit": commit}
        await self._tell("push", {**pushed, "commits": [commit]}, by=text)

    async def _tell(self, event: str, content: dict[str, Any], *, by: str) -> None:
        repository = {"id": 1, "clone_url": self.platform.repository_url, "default_branch": "main"}
        body = json.dumps({**content, "repository": repository, "sender": {"login": by}}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": hashlib.sha256(body).hexdigest(),
            "X-Hub-Signature-256": "sha256=" + hmac.new(self.hook.secret.encode(), body, hashlib.sha256).hexdigest(),
        }
        path = "/hooks" + self.hook.url.partition("/hooks")[2]
        answer = await self.door.http.post(path, content=body, headers=headers)
        assert answer.status_code == 202, answer.text
