"""The installation itself."""

from datetime import datetime

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
    can_change: bool = Field(description="Whether `platform.update` can change it, which takes a `towline up`.")
    upload_max_bytes: int = Field(description="Largest upload in bytes.", examples=[1_073_741_824])
    docker: DockerStatus = Field(description="The Docker daemon.")
    queued_deployments: int = Field(description="Deployments that wait.", examples=[0])
    running_deployments: int = Field(description="Deployments being worked on.", examples=[1])


class DomainQuery(Model):
    """Which domain is looked at."""

    domain: Host | None = Field(default=None, description="Domain to look at; the instance's base domain by default.")


class DomainChange(Model):
    """What another base domain would change."""

    platform_host: str = Field(description="Host of API and dashboard then.", examples=["towline.example.com"])
    url: str = Field(description="Address of API and dashboard then.", examples=["http://towline.example.com"])
    hosts: int = Field(description="Generated addresses of services that get new names.", examples=[3])
    passkeys: int = Field(description="Passkeys that are of no use at the new address.", examples=[0])
    webhooks: int = Field(description="Webhooks that know the present address.", examples=[0])
    providers: int = Field(description="Sign-in providers that know the present address.", examples=[0])


class PlatformUpdate(Model):
    """What to change of the installation."""

    base_domain: Host = Field(description="Domain under which hosts are generated.", examples=["example.com"])
    even_if_unreachable: bool = Field(
        default=False, strict=True, description="Set it although DNS does not lead to this server."
    )


class PlatformUpdated(Model):
    """Where the installation is reached from now on."""

    base_domain: str = Field(description="Domain under which hosts are generated.", examples=["example.com"])
    platform_host: str = Field(description="Host of API and dashboard.", examples=["towline.example.com"])
    url: str = Field(description="Address of API and dashboard.", examples=["http://towline.example.com"])
    is_restarting: bool = Field(
        description="Whether Towline starts again for that, which takes seconds; `/readyz` there tells when it is done."
    )


class FormerHost(Model):
    """A host at which Towline itself answered before, and does still."""

    host: str = Field(description="The host.", examples=["towline.example.net"])
    left_at: datetime = Field(description="When Towline moved from it.")
    last_used_at: datetime | None = Field(
        default=None,
        description="When a program last called the API, sent a webhook or pushed there, to ten minutes; null: never.",
    )
    providers: int = Field(description="Sign-in providers that send people back there.", examples=[0])


class FormerHostList(Model):
    """All former hosts."""

    items: list[FormerHost] = Field(description="The one that was left last first; at most five.")


class DomainCheck(Model):
    """Whether generated hosts below a domain lead to this server."""

    domain: str = Field(description="The domain.", examples=["example.com"])
    host: str = Field(description="The name that was looked up.", examples=["towline-check.example.com"])
    addresses: list[str] = Field(default=[], description="Addresses that DNS gave.", examples=[["203.0.113.9"]])
    expected: list[str] = Field(default=[], description="This server's own addresses, as far as they are known.")
    problem: str = Field(default="", description="What is wrong; empty when nothing is.")
    hint: str = Field(default="", description="The next thing to do.")
    change: DomainChange | None = Field(
        default=None, description="What setting it would change; null for the present base domain."
    )


class PlatformPart(Model):
    """One part of the platform, and whether it works."""

    name: str = Field(description="Stable name.", examples=["postgresql"])
    title: str = Field(description="Its name for people.", examples=["PostgreSQL"])
    purpose: str = Field(description="What it is for.")
    is_working: bool = Field(description="Whether it does what it should.")
    detail: str = Field(default="", description="Its version, or how busy it is.")
    problem: str = Field(default="", description="What is wrong with it.")


class PlatformTrouble(Model):
    """Something that is wrong and no service has."""

    kind: str = Field(description="`disk.low` or `certificate.failed`.")
    message: str = Field(description="What it is, in one sentence.")
    since: datetime = Field(description="When it was first seen.")


class QueuedDeployment(Model):
    """A deployment that waits or is being worked on."""

    id: str = Field(description="Id.")
    project: str = Field(description="Name of the project.")
    service: str = Field(description="Name of the service.")
    number: int = Field(description="Number within the service and environment.")
    status: str = Field(description="Where it stands.")
    reason: str = Field(description="Why it waits; empty: it does not.")
    created_at: datetime = Field(description="When it was asked for.")


class PlatformHealth(Model):
    """How the platform itself is: its parts, room on the machine, and what waits."""

    parts: list[PlatformPart] = Field(description="Every part.")
    troubles: list[PlatformTrouble] = Field(description="What is wrong besides, the oldest first.")
    queue: list[QueuedDeployment] = Field(description="Deployments that are not final, the oldest first; at most 100.")
    disk_total: int = Field(description="Bytes of the data folder's disk.")
    disk_free: int = Field(description="Free bytes of it.")
    memory_total: int = Field(description="Bytes of memory.")
    memory_available: int = Field(description="Bytes that can be had without swapping.")
