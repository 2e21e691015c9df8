"""The installation itself."""

from pydantic import Field

from towline.contract.base import Host, Model


class DockerStatus(Model):
    """The Docker daemon as Towline sees it."""

    is_available: bool = Field(description="Whether it answers.")
    version: str = Field(default="", description="Its version.", examples=["20.10.24"])
    builder: str = Field(default="", description="Command used for builds.", examples=["/usr/bin/docker (BuildKit)"])
    problem: str = Field(default="", description="What is wrong with it.")


class Platform(Model):
    """What this installation is and how it is reached."""

    version: str = Field(description="Towline's version.", examples=["0.1.0"])
    installation_id: str = Field(description="Tells this installation from others.")
    base_domain: str = Field(description="Domain under which hosts are generated.", examples=["localhost"])
    platform_host: str = Field(description="Host of API and dashboard.", examples=["towline.localhost"])
    url: str = Field(description="Address of API and dashboard.", examples=["http://towline.localhost:8080"])
    http_port: int = Field(description="Port for plain HTTP.", examples=[80])
    https_port: int = Field(description="Port for HTTPS.", examples=[443])
    has_certificates: bool = Field(description="Whether certificates are asked for by themselves.")
    upload_max_bytes: int = Field(description="Largest upload in bytes.", examples=[1_073_741_824])
    docker: DockerStatus = Field(description="The Docker daemon.")
    queued_deployments: int = Field(description="Deployments that wait.", examples=[0])
    running_deployments: int = Field(description="Deployments being worked on.", examples=[1])


class DomainQuery(Model):
    """Which domain is looked at."""

    domain: Host | None = Field(default=None, description="Domain to look at; the instance's base domain by default.")


class DomainCheck(Model):
    """Whether generated hosts below a domain lead to this server."""

    domain: str = Field(description="The domain.", examples=["example.com"])
    host: str = Field(description="The name that was looked up.", examples=["towline-check.example.com"])
    addresses: list[str] = Field(default=[], description="Addresses that DNS gave.", examples=[["203.0.113.9"]])
    expected: list[str] = Field(default=[], description="This server's own addresses, as far as they are known.")
    problem: str = Field(default="", description="What is wrong; empty when nothing is.")
    hint: str = Field(default="", description="The next thing to do.")
