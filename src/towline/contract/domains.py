"""Routes: the hosts and paths that lead to a service."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from towline.contract.base import DEFAULT_ENVIRONMENT, EnvironmentName, Host, Model, Page, PathPrefix

CertificateState = Literal["none", "pending", "valid", "failed"]


class RouteCreate(Model):
    """A custom domain for a service in one environment."""

    host: Host = Field(description="Host name, without a port.", examples=["shop.example.com"])
    path_prefix: PathPrefix = Field(default="/", description="Path below which requests are taken.", examples=["/api"])
    strip_prefix: bool = Field(default=False, strict=True, description="Whether the prefix is removed for the app.")
    environment: EnvironmentName = DEFAULT_ENVIRONMENT
    certificate: Literal["auto", "none"] = Field(
        default="auto",
        description="`auto`: asked for by itself where the instance has certificates · `none`: HTTP only.",
    )
    redirect_to_https: bool = Field(
        default=True, strict=True, description="Whether plain HTTP is redirected once TLS works."
    )


class Route(Model):
    """Host + path prefix that leads to a service."""

    id: str = Field(description="Id.", examples=["rte_01k9x3v5mdcq2r7s8t9vwxyz01"])
    host: str = Field(description="Host name.", examples=["shop.example.com"])
    path_prefix: str = Field(description="Path below which requests are taken.", examples=["/"])
    strip_prefix: bool = Field(default=False, description="Whether the prefix is removed for the app.")
    environment: str = Field(description="Name of the environment.", examples=["production"])
    kind: Literal["generated", "custom"] = Field(description="Whether Towline made it up.")
    url: str = Field(description="Address to open.", examples=["https://shop.example.com/"])
    redirect_to_https: bool = Field(default=False, description="Whether plain HTTP is redirected.")
    certificate: CertificateState = Field(description="State of its certificate; `none` means HTTP only.")
    certificate_problem: str = Field(
        default="",
        description="Why there is no certificate.",
        examples=["shop.example.com leads to 203.0.113.9, not here"],
    )
    certificate_expires_at: datetime | None = Field(default=None, description="When the certificate ends.")
    created_at: datetime = Field(description="When it was made.")


class RouteList(Page[Route]):
    """Routes of a service in one environment, generated ones first."""
