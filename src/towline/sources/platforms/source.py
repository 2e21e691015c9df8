"""Sources `github`, `gitlab`, `gitea` and `bitbucket`: git, with repositories named as people name them there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from towline.errors import InvalidInput
from towline.names import check_host
from towline.sources.base import FetchRequest, Source, WebhookEvent
from towline.sources.git.source import GitSource
from towline.sources.platforms.bitbucket import BITBUCKET
from towline.sources.platforms.gitea import GITEA
from towline.sources.platforms.github import GITHUB
from towline.sources.platforms.gitlab import GITLAB
from towline.sources.platforms.platform import Platform
from towline.sources.settings import check_keys, get_text
from towline.values import Bundle, Report

PLATFORMS: Final = (GITHUB, GITLAB, GITEA, BITBUCKET)
_GIT_KEYS: Final = ("branch", "lfs", "subdirectory", "submodules")


class PlatformSource(Source):
    """One platform's repositories, fetched by git with a token, and its webhooks."""

    def __init__(self, platform: Platform, git: GitSource) -> None:
        self.kind = platform.host_api.kind  # pyright: ignore[reportAttributeAccessIssue] - one class serves every platform
        self.host_api = platform.host_api  # pyright: ignore[reportAttributeAccessIssue] - one class serves every platform
        self._platform = platform
        self._git = git

    def validate_config(self, config: Mapping[str, object]) -> dict[str, object]:
        """`repository` (owner/name), optionally `host` of a server of one's own, and what git takes but the url."""
        check_keys(config, (*_GIT_KEYS, "repository", "host"))
        host = check_host(get_text(config, "host") or self._platform.host_api.public_host)
        repository = get_text(config, "repository").strip("/").removesuffix(".git")
        if repository.count("/") < 1 or ".." in repository.split("/"):
            raise InvalidInput(f"repository {repository[:100]!r} is not of the form owner/name.", field="repository")
        git = self._git.validate_config({**{key: config.get(key) for key in _GIT_KEYS}, "url": _url(host, repository)})
        return {**{key: git[key] for key in _GIT_KEYS}, "repository": repository, "host": host}

    async def authenticate(self, request: FetchRequest) -> bool:
        """Whether the repository can be read with the token, or without one when none is given."""
        return await self._git.authenticate(self._as_git(request))

    async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
        """Fetch as git does."""
        return await self._git.fetch_source(self._as_git(request), report)

    def validate_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent | None:
        """The platform's own webhook: verified in constant time on the raw body, then read."""
        lowered = {name.lower(): value for name, value in headers.items()}
        return self._platform.read(lowered, body) if self._platform.verify(lowered, body, secret) else None

    def _as_git(self, request: FetchRequest) -> FetchRequest:
        config = self.validate_config(request.config)
        git = {key: config[key] for key in _GIT_KEYS}
        credential = request.credential
        if credential is not None and credential.password and not credential.username:
            credential = replace(credential, username=self._platform.host_api.git_user)
        url = _url(str(config["host"]), str(config["repository"]))
        return replace(request, config={**git, "url": url}, credential=credential)


def _url(host: str, repository: str) -> str:
    return f"https://{host}/{repository}.git"
