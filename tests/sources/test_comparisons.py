"""Comparing commits by the platforms' APIs: the requests, and answers in the form of the platforms' documentation."""

from typing import Any

import pytest

from towline.sources.hosting import ApiRequest, Comparison, GitHost
from towline.sources.platforms.bitbucket import BITBUCKET
from towline.sources.platforms.gitea import GITEA
from towline.sources.platforms.github import GITHUB
from towline.sources.platforms.gitlab import GITLAB
from towline.sources.platforms.source import PLATFORMS

_GITLAB: Any = {
    "commits": [{"id": "12d65c8"}],
    "diffs": [
        {"old_path": "files/js/old.coffee", "new_path": "files/js/new.coffee", "renamed_file": True},
        {"old_path": "README", "new_path": "README", "new_file": True},
    ],
    "compare_timeout": False,
    "compare_same_ref": False,
}
_EMPTY_COMMIT: Any = {"sha": "b", "files": []}
_GITEA: Any = {
    "total_commits": 2,
    "commits": [
        {"sha": "a", "files": [{"filename": "web/a", "status": "removed"}, {"filename": "web/b", "status": "added"}]},
        _EMPTY_COMMIT,
    ],
}
_BITBUCKET: Any = {
    "pagelen": 500,
    "values": [
        {"type": "diffstat", "status": "renamed", "old": {"path": "setup.py"}, "new": {"path": "setup.cfg"}},
        {"type": "diffstat", "status": "added", "old": None, "new": {"path": "new"}},
        {"type": "diffstat", "status": "removed", "old": {"path": "gone"}, "new": None},
    ],
    "page": 1,
}


@pytest.mark.parametrize(
    ("api", "request_", "answer", "paths"),
    [
        (
            GITHUB.host_api,
            ApiRequest("GET", "/repos/acme/shop/compare/aa...bb", {"per_page": "1", "page": "1"}),
            {"status": "ahead", "files": [{"filename": "b", "previous_filename": "a"}, {"filename": "c"}]},
            {"a", "b", "c"},
        ),
        (
            GITLAB.host_api,
            ApiRequest(
                "GET",
                "/projects/acme%2Fshop/repository/compare",
                {"from": "aa", "to": "bb", "straight": "true"},
            ),
            _GITLAB,
            {"files/js/old.coffee", "files/js/new.coffee", "README"},
        ),
        (GITEA.host_api, ApiRequest("GET", "/repos/acme/shop/compare/aa...bb"), _GITEA, {"web/a", "web/b"}),
        (
            BITBUCKET.host_api,
            ApiRequest(
                "GET",
                "/repositories/acme/shop/diffstat/bb..aa",
                {"topic": "false", "pagelen": "500", "page": "1"},
            ),
            _BITBUCKET,
            {"setup.py", "setup.cfg", "new", "gone"},
        ),
    ],
)
def test_both_names_of_every_file_are_read(api: GitHost, request_: ApiRequest, answer: Any, paths: set[str]) -> None:
    assert api.comparison_request("acme/shop", "aa", "bb", page=1) == request_
    found = api.read_comparison(answer)
    assert set(found.paths) == paths
    assert (found.is_complete, found.has_more) == (True, False)


@pytest.mark.parametrize(
    ("api", "answer"),
    [
        (GITHUB.host_api, {"status": "ahead", "files": [{"filename": str(number)} for number in range(300)]}),
        (GITLAB.host_api, {**_GITLAB, "compare_timeout": True}),
        (GITEA.host_api, {**_GITEA, "total_commits": 3}),
        (GITEA.host_api, {"total_commits": 1, "commits": [{"sha": "a"}]}),
    ],
)
def test_what_a_platform_leaves_out_is_noticed(api: GitHost, answer: Any) -> None:
    assert not api.read_comparison(answer).is_complete


@pytest.mark.parametrize("api", [platform.host_api for platform in PLATFORMS], ids=lambda api: api.kind)
@pytest.mark.parametrize("answer", [None, [], {}, "text", {"files": {}, "diffs": 1, "commits": [1], "values": None}])
def test_what_is_no_comparison_is_not_taken_for_no_change(api: GitHost, answer: Any) -> None:
    assert not api.read_comparison(answer).is_complete


def test_only_bitbucket_gives_files_page_by_page() -> None:
    more = {**_BITBUCKET, "next": "https://api.bitbucket.org/2.0/repositories/acme/shop/diffstat/bb..aa?page=2"}
    assert BITBUCKET.host_api.read_comparison(more).has_more
    assert BITBUCKET.host_api.comparison_request("acme/shop", "aa", "bb", page=2).query["page"] == "2"


def test_comparisons_from_a_common_ancestor_are_told_apart() -> None:
    ahead = GITHUB.host_api.read_comparison({"status": "ahead", "files": []})
    assert ahead == Comparison(())
    assert GITHUB.host_api.read_comparison({"status": "behind", "files": []}).is_one_sided
    assert GITEA.host_api.read_comparison({"total_commits": 0, "commits": []}) == Comparison((), is_one_sided=True)
