"""Where a service's code comes from, and the credential for it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from towline.contract.base import JsonObject, LongText, Model, ShortText

SourceType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$", max_length=32)]
"""Kind of a source: git, upload, custom, github, gitlab, or one that an installed package adds."""


class ServiceSource(Model):
    """Where code comes from; `config` is validated by the source itself.

    `git`: {url, branch, subdirectory, submodules} · `upload`: {} · `custom`: {image} or {dockerfile} ·
    `github`, `gitlab`: {repository, branch, subdirectory} · `push`: {branch, rules, subdirectory}, for what is
    pushed to Towline itself.
    """

    type: SourceType = Field(default="upload", description="Kind of source.", examples=["git"])
    config: JsonObject = Field(
        default={},
        description="Configuration of that kind, at most 16 KiB of JSON.",
        examples=[{"url": "https://git.example.com/shop/api.git", "branch": "main"}],
    )


class SourceCredential(Model):
    """Credential for the source; it can be written, never read back."""

    username: ShortText = Field(default="", description="User name, where the remote wants one.", examples=["deploy"])
    password: LongText = Field(default="", description="Password or token.", examples=["glpat-…"], repr=False)
    ssh_key: LongText = Field(
        default="", description="Private SSH key (OpenSSH or PEM), without a passphrase.", repr=False
    )
    known_hosts: LongText = Field(default="", description="Host keys the SSH client trusts, in known_hosts form.")
