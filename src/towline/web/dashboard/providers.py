"""Pages of sign-in by other providers, for administrators."""

from typing import Final

from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit
from towline.web.dashboard.fields import Fields, check_typed, text
from towline.web.dashboard.instance import check_administers, instance_view

KINDS: Final = ("oidc", "github", "gitlab", "google")
_FLAGS: Final = ("is_enabled", "is_trusted", "allows_sign_up")


async def show_providers(visit: Visit) -> View:
    """Providers that users sign in with."""
    check_administers(visit)
    found = await visit.ask("identityProviders.list")
    return instance_view(
        visit, "providers.html", "Sign-in", {"providers": found["items"], "kinds": KINDS, "provider": None}
    )


async def create_provider(visit: Visit, fields: Fields) -> str:
    """Set a provider up."""
    body: Json = {"kind": text(fields, "kind"), "name": text(fields, "name"), **_settings(fields)}
    body["client_secret"] = fields.get("client_secret", "").strip()
    made = await visit.ask("identityProviders.create", body=body)
    return f"/instance/providers/{made['name']}"


async def show_provider(visit: Visit) -> View:
    """One provider."""
    return await _provider(visit, None)


async def try_provider(visit: Visit, _: Fields) -> View:
    """Whether it can be used."""
    return await _provider(visit, await visit.ask_here("identityProviders.test"))


async def change_provider(visit: Visit, fields: Fields) -> str:
    """Change a provider."""
    body = _settings(fields)
    if secret := fields.get("client_secret", "").strip():
        body["client_secret"] = secret
    await visit.ask_here("identityProviders.update", body=body)
    return f"/instance/providers/{visit.path['provider']}"


async def delete_provider(visit: Visit, fields: Fields) -> str:
    """Delete a provider whose name was typed."""
    check_typed(fields, visit.path["provider"])
    await visit.ask_here("identityProviders.delete")
    return "/instance/providers"


def _settings(fields: Fields) -> Json:
    given: Json = {name: text(fields, name) for name in ("title", "issuer", "client_id")}
    given |= {name: fields.get(name) == "on" for name in _FLAGS}
    given["email_domains"] = text(fields, "email_domains").replace(",", " ").split()
    return given


async def _provider(visit: Visit, check: Json | None) -> View:
    check_administers(visit)
    provider = await visit.ask_here("identityProviders.get")
    return instance_view(visit, "provider.html", provider["title"], {"provider": provider, "check": check})
