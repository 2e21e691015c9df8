"""`towline providers`: identity providers that users sign in with."""

from typing import Annotated

import typer

from towline.cli.keys import read_secret
from towline.cli.options import AsJson, Yes
from towline.cli.session import open_session
from towline.contract.identities import (
    IdentityProvider,
    IdentityProviderCreate,
    IdentityProviderUpdate,
)
from towline.errors import ProviderUnavailable

providers = typer.Typer(name="providers", help="Identity providers: GitHub, GitLab, Google, any OpenID Connect.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the provider.")]
TitleOption = Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What the sign-in page says.")]
IssuerOption = Annotated[str | None, typer.Option("--issuer", metavar="URL", help="Address of the provider.")]
TrustedOption = Annotated[
    bool | None,
    typer.Option("--trusted/--not-trusted", help="Whether its verified addresses link to users who are here."),
]
SignUpOption = Annotated[
    bool | None, typer.Option("--sign-up/--no-sign-up", help="Whether somebody without a user here becomes one.")
]
DomainOption = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="DOMAIN", help="Whose addresses may sign up; may be given several times."),
]


@providers.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Identity providers: GitHub, GitLab, Google, any OpenID Connect."""
    if context.invoked_subcommand is None:
        list_providers(as_json=as_json)


@providers.command("list")
def list_providers(*, as_json: AsJson = False) -> None:
    """List identity providers."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.identity_providers.list().items,
            {
                "name": lambda row: row.name,
                "kind": lambda row: row.kind,
                "issuer": lambda row: row.issuer,
                "enabled": lambda row: row.is_enabled,
                "trusted": lambda row: row.is_trusted,
                "sign-up": lambda row: row.allows_sign_up,
                "domains": lambda row: row.email_domains,
            },
            nothing="No identity provider.",
        )


@providers.command("add")
def add_provider(
    name: NameArgument,
    *,
    kind: Annotated[str, typer.Option("--kind", "-k", metavar="KIND", help="github, gitlab, google or oidc.")],
    client_id: Annotated[str, typer.Option("--client-id", metavar="ID", help="Client id that the provider shows.")],
    issuer: IssuerOption = None,
    title: TitleOption = None,
    trusted: TrustedOption = None,
    sign_up: SignUpOption = None,
    domains: DomainOption = None,
    as_json: AsJson = False,
) -> None:
    """Set up a provider; its client secret is asked for, or read from standard input."""
    values = _given(issuer=issuer, title=title, is_trusted=trusted, allows_sign_up=sign_up, email_domains=domains)
    body = IdentityProviderCreate.model_validate(
        {"name": name, "kind": kind, "client_id": client_id, "client_secret": read_secret("Client secret"), **values}
    )
    with open_session(as_json=as_json) as session:
        row = session.client.identity_providers.create(body)
        session.output.model(row, _facts(row))
        session.output.say("\nRegister the redirect address at the provider, then run `towline providers test`.")


@providers.command("update")
def update_provider(
    name: NameArgument,
    *,
    client_id: Annotated[str | None, typer.Option("--client-id", metavar="ID", help="New client id.")] = None,
    new_secret: Annotated[
        bool, typer.Option("--new-secret", help="Ask for a client secret, or read one from standard input.")
    ] = False,
    issuer: IssuerOption = None,
    title: TitleOption = None,
    enabled: Annotated[
        bool | None, typer.Option("--enabled/--disabled", help="Whether users can sign in with it.")
    ] = None,
    trusted: TrustedOption = None,
    sign_up: SignUpOption = None,
    domains: DomainOption = None,
    as_json: AsJson = False,
) -> None:
    """Change a provider."""
    values = _given(
        issuer=issuer,
        title=title,
        client_id=client_id,
        is_enabled=enabled,
        is_trusted=trusted,
        allows_sign_up=sign_up,
        email_domains=domains,
    )
    if new_secret:
        values["client_secret"] = read_secret("Client secret")
    body = IdentityProviderUpdate.model_validate(values)
    with open_session(as_json=as_json) as session:
        row = session.client.identity_providers.update(name, body)
        session.output.model(row, _facts(row))


@providers.command("test")
def check_provider(name: NameArgument, *, as_json: AsJson = False) -> None:
    """Try whether a provider answers and knows Towline."""
    with open_session(as_json=as_json) as session:
        check = session.client.identity_providers.test(name)
        session.output.model(check, {"works": check.is_working, "redirect address": check.redirect_uri})
    if not check.is_working:
        raise ProviderUnavailable(check.problem, hint=check.hint)


@providers.command("delete")
def delete_provider(name: NameArgument, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a provider; whoever signs in only there has to reset a password."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Delete provider {name} and all identities there?", yes=yes)
        session.client.identity_providers.delete(name)
        session.output.say(f"Deleted provider {name}.")


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _facts(row: IdentityProvider) -> dict[str, object]:
    return {
        "name": row.name,
        "kind": row.kind,
        "issuer": row.issuer,
        "redirect address": row.redirect_uri,
        "former one, still sent": row.former_redirect_uri,
        "enabled": row.is_enabled,
        "trusted": row.is_trusted,
        "sign-up": row.allows_sign_up,
        "domains": row.email_domains,
    }
