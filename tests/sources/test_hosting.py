"""Requests to platforms' APIs, as their documentation has them; GitHub's are held against its published description."""

from typing import Any

import pytest

from towline.errors import InvalidInput
from towline.sources.hosting import ApiRequest, CommitStatus, GitHost, HostKey
from towline.sources.platforms.bitbucket import BITBUCKET
from towline.sources.platforms.gitea import GITEA
from towline.sources.platforms.github import GITHUB
from towline.sources.platforms.gitlab import GITLAB

_SHA = "18f3e63d05582537db6d183d9d557be09e1f90c8"
_STATUS = CommitStatus(_SHA, "failure", "towline/shop", "Failed.", "https://t.example/d")
_ALL = [GITHUB.host_api, GITLAB.host_api, GITEA.host_api, BITBUCKET.host_api]


@pytest.mark.parametrize(
    ("api", "path", "body"),
    [
        (
            GITLAB.host_api,
            f"/projects/acme%2Fshop/statuses/{_SHA}",
            {"state": "failed", "name": "towline/shop", "target_url": "https://t.example/d", "description": "Failed."},
        ),
        (
            GITEA.host_api,
            f"/repos/acme/shop/statuses/{_SHA}",
            {
                "state": "failure",
                "context": "towline/shop",
                "target_url": "https://t.example/d",
                "description": "Failed.",
            },
        ),
        (
            BITBUCKET.host_api,
            f"/repositories/acme/shop/commit/{_SHA}/statuses/build",
            {
                "state": "FAILED",
                "key": "towline/shop",
                "name": "towline/shop",
                "url": "https://t.example/d",
                "description": "Failed.",
            },
        ),
    ],
)
def test_a_status_has_the_platform_s_own_form(api: GitHost, path: str, body: dict[str, Any]) -> None:
    assert api.status_request("acme/shop", _STATUS) == ApiRequest("POST", path, body=body)


@pytest.mark.parametrize(
    ("api", "made", "changed"),
    [
        (GITLAB.host_api, "/projects/acme%2Fshop/merge_requests/7/notes", "PUT"),
        (GITEA.host_api, "/repos/acme/shop/issues/7/comments", "PATCH"),
        (BITBUCKET.host_api, "/repositories/acme/shop/pullrequests/7/comments", "PUT"),
    ],
)
def test_a_comment_is_made_once_and_changed_afterwards(api: GitHost, made: str, changed: str) -> None:
    first = api.comment_request("acme/shop", 7, "text", comment_id="")
    assert (first.method, first.path) == ("POST", made)
    again = api.comment_request("acme/shop", 7, "text", comment_id="42")
    assert (again.method, again.path.rpartition("/")[2]) == (changed, "42")
    assert again.body == first.body


@pytest.mark.parametrize("api", _ALL)
def test_a_webhook_is_sent_its_secret_and_can_be_changed_and_deleted(api: GitHost) -> None:
    made = api.hook_request("acme/shop", url="https://t.example/hooks/x", secret="topsecret", hook_id="")
    changed = api.hook_request("acme/shop", url="https://t.example/hooks/x", secret="other", hook_id="{a b}")
    assert made.method == "POST"
    assert "topsecret" in str(made.body)
    assert changed.path == f"{made.path}/%7Ba%20b%7D"
    assert api.hook_removal("acme/shop", "{a b}") == ApiRequest("DELETE", changed.path)
    assert api.is_so_already(api.hook_removal("acme/shop", "1"), 404, "")
    assert not api.is_so_already(made, 404, "")


@pytest.mark.parametrize("api", [GITHUB.host_api, GITEA.host_api, BITBUCKET.host_api])
@pytest.mark.parametrize("name", ["../x", "a/..", "a//b", "a/./b"])
def test_a_repository_leads_nowhere_else(api: GitHost, name: str) -> None:
    with pytest.raises(InvalidInput, match="owner/name"):
        api.branches_request(name, 1)


@pytest.mark.parametrize("api", _ALL)
def test_answers_of_any_shape_are_read(api: GitHost) -> None:
    for content in (None, [], {}, "x", [None, {"name": 3}], {"values": [1]}, {"id": True}):
        api.read_repositories(content)
        api.read_branches(content)
        assert api.read_id(content) == ""


def test_only_github_has_apps_and_bitbucket_takes_user_names() -> None:
    with pytest.raises(InvalidInput, match="no Apps"):
        GITLAB.host_api.check_key(HostKey("x", app_id="1"))
    assert BITBUCKET.host_api.headers(HostKey("x")) == {"Authorization": "Bearer x"}
    assert BITBUCKET.host_api.headers(HostKey("b", username="a")) == {"Authorization": "Basic YTpi"}
    assert BITBUCKET.host_api.fetch_user(HostKey("b", username="a@b.example")) == "x-bitbucket-api-token-auth"
    with pytest.raises(InvalidInput, match="workspace"):
        BITBUCKET.host_api.repositories_request(owner="", page=1, is_app=False)


def test_gitlab_s_refusal_of_the_same_state_is_no_failure() -> None:
    request = GITLAB.host_api.status_request("acme/shop", _STATUS)
    said = "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition)"
    assert GITLAB.host_api.is_so_already(request, 400, said)
    assert not GITLAB.host_api.is_so_already(request, 400, "state is missing")
