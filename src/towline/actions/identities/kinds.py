"""The table of provider kinds: a new one is a file beside this and a line here."""

from collections.abc import Mapping
from typing import Final

from towline.actions.identities.base import Provider
from towline.actions.identities.github import GitHubProvider
from towline.actions.identities.gitlab import GitLabProvider
from towline.actions.identities.google import GoogleProvider
from towline.actions.identities.openid import OpenIdProvider

PROVIDERS: Final[Mapping[str, Provider]] = {
    "github": GitHubProvider(),
    "gitlab": GitLabProvider(),
    "google": GoogleProvider(),
    "oidc": OpenIdProvider(),
}
"""Every kind by its name in `models.identities` and in the contract."""
