"""GitLab: gitlab.com or an instance of one's own, both OpenID providers."""

from towline.actions.identities.openid import OpenIdProvider


class GitLabProvider(OpenIdProvider):
    """https://docs.gitlab.com/integration/openid_connect_provider/"""

    title = "GitLab"
    default_issuer = "https://gitlab.com"
