"""Google, whose word on an address counts only where Google runs the mailbox."""

from collections.abc import Mapping
from typing import Any

from towline.actions.identities.openid import OpenIdProvider


class GoogleProvider(OpenIdProvider):
    """https://developers.google.com/identity/openid-connect/openid-connect"""

    title = "Google"
    default_issuer = "https://accounts.google.com"

    def is_email_verified(self, claims: Mapping[str, Any]) -> bool:
        """Google is authoritative for Gmail and for domains hosted there (claim `hd`); other addresses it once mailed.

        https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
        """
        domain = str(claims.get("email", "")).rpartition("@")[2].lower()
        is_theirs = domain == "gmail.com" or (bool(domain) and claims.get("hd") == domain)
        return is_theirs and super().is_email_verified(claims)
