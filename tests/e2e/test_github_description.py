"""Requests to GitHub's API against the description that GitHub publishes, and its examples of answers."""

import hashlib
import json
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from towline.sources.hosting import ApiRequest, CommitStatus, HostKey
from towline.sources.platforms.github import GITHUB
from towline.sources.platforms.github_app import installations_request, token_request

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

_PACKAGE = "@octokit/openapi@23.0.2"
_DIGEST = "71a18407dd5e8464f4e0525daf03deabbe65abd9287d6adc7b5d98f516cd0d0c"
_MEMBER = "package/generated/api.github.com.json"
_API = GITHUB.host_api
_REPOSITORY = "octocat/hello-world"
_STATUS = CommitStatus(
    "6dcb09b5b57875f334f61aebed695e2e4193db5e", "success", "towline/shop", "Done.", "https://t.example"
)
_HOOK = {"url": "https://t.example/hooks/github/hok_1", "secret": "s"}

REQUESTS: Mapping[str, ApiRequest] = {
    "repositories": _API.repositories_request(owner="", page=2, is_app=False),
    "repositories of an installation": _API.repositories_request(owner="", page=1, is_app=True),
    "branches": _API.branches_request(_REPOSITORY, 1),
    "comparison": _API.comparison_request(_REPOSITORY, "a" * 40, "b" * 40, page=1),
    "new webhook": _API.hook_request(_REPOSITORY, **_HOOK, hook_id=""),
    "changed webhook": _API.hook_request(_REPOSITORY, **_HOOK, hook_id="12345678"),
    "deleted webhook": _API.hook_removal(_REPOSITORY, "12345678"),
    "status": _API.status_request(_REPOSITORY, _STATUS),
    "new comment": _API.comment_request(_REPOSITORY, 7, "text", comment_id=""),
    "changed comment": _API.comment_request(_REPOSITORY, 7, "text", comment_id="42"),
    "installations": installations_request(),
    "installation": ApiRequest("GET", f"/repos/{_REPOSITORY}/installation"),
    "token": token_request(5, rights={"contents": "read", "repository_hooks": "write"}, repositories=["hello-world"]),
    "token to report": token_request(5, rights={"statuses": "write", "pull_requests": "write"}),
    "token to list": token_request(5, rights={"metadata": "read"}),
}


@pytest.fixture(scope="module")
def description() -> Mapping[str, Any]:
    """GitHub's own description of its API; of the package only this one file is kept."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "towline-tests"
    kept = base / f"github-{_DIGEST[:16]}.json"
    if not kept.exists():
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base) as folder:
            _fetch(Path(folder)).rename(kept)
    return json.loads(kept.read_bytes())


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_as_github_describes_it(description: Mapping[str, Any], name: str) -> None:
    request = REQUESTS[name]
    operation = _operation(description, request)
    known = {
        parameter["name"] for parameter in _all(description, operation["parameters"]) if parameter["in"] == "query"
    }
    assert set(request.query) <= known
    if request.body is None:
        return
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    components = {"components": description["components"]}
    Draft202012Validator({**components, **schema}).validate(dict(request.body))


def test_github_s_own_examples_are_read(description: Mapping[str, Any]) -> None:
    [repository] = _API.read_repositories(_example(description, REQUESTS["repositories"]))
    assert (repository.name, repository.default_branch) == ("octocat/Hello-World", "master")
    [installed] = _API.read_repositories(_example(description, REQUESTS["repositories of an installation"]))
    assert installed.url.endswith("/octocat/Hello-World.git")
    assert _API.read_branches(_example(description, REQUESTS["branches"])) == ["master"]
    assert _API.read_comparison(_example(description, REQUESTS["comparison"])).paths == ("file1.txt",)
    assert _API.read_id(_example(description, REQUESTS["new webhook"])) == "12345678"
    assert _API.read_id(_example(description, REQUESTS["new comment"])) == "1"


async def test_an_app_asks_for_its_token_as_github_describes_it(description: Mapping[str, Any]) -> None:
    asked: list[ApiRequest] = []

    async def ask(request: ApiRequest, headers: Mapping[str, str]) -> Any:
        assert headers["Authorization"].startswith("Bearer ")
        asked.append(request)
        return _example(description, request)

    key = HostKey(_private_key(), app_id="7")
    opened = await _API.open_app(key, ask, repository=_REPOSITORY, owner="", rights={"contents": "read"})
    assert opened.secret.startswith("ghs_")
    assert [_operation(description, request)["operationId"] for request in asked] == [
        "apps/get-repo-installation",
        "apps/create-installation-access-token",
    ]


def _fetch(folder: Path) -> Path:
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), _PACKAGE]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
    [archive] = folder.glob("*.tgz")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == _DIGEST
    target = folder / "description.json"
    with tarfile.open(archive) as files:
        content = files.extractfile(_MEMBER)
        assert content is not None
        target.write_bytes(content.read())
    return target


def _operation(description: Mapping[str, Any], request: ApiRequest) -> Mapping[str, Any]:
    method = request.method.lower()
    found = [
        (template.count("{"), path[method])
        for template, path in description["paths"].items()
        if method in path and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), request.path)
    ]
    assert found, request.path
    return {"parameters": [], **min(found, key=lambda pair: pair[0])[1]}


def _example(description: Mapping[str, Any], request: ApiRequest) -> Any:
    responses = _operation(description, request)["responses"]
    content = responses[min(responses)]["content"]["application/json"]
    examples = list(content["examples"].values())
    return _all(description, examples[:1])[0]["value"]


def _all(description: Mapping[str, Any], items: list[Any]) -> list[Any]:
    """Items with their references followed."""
    return [_follow(description, item["$ref"]) if "$ref" in item else item for item in items]


def _follow(description: Mapping[str, Any], reference: str) -> Any:
    found: Any = description
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _private_key() -> str:
    made = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True, timeout=60)
    return made.stdout.decode()
