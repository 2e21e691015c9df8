"""Dependencies: which service needs which."""

from pydantic import Field

from towline.contract.base import Model


class DependencySet(Model):
    """How a service needs another."""

    cascade: bool = Field(
        default=False, strict=True, description="Whether it is deployed again after a success of the other."
    )


class Dependency(Model):
    """A service needs another one."""

    service: str = Field(description="Name of the service.", examples=["web"])
    depends_on: str = Field(description="Name of the service it needs.", examples=["api"])
    cascade: bool = Field(description="Whether it is deployed again after a success of the other.")


class DependencyGraph(Model):
    """The services of a project and who needs whom."""

    services: list[str] = Field(description="Names of all services, sorted.")
    dependencies: list[Dependency] = Field(description="Every dependency, by names.")
    levels: list[list[str]] = Field(
        description="Services in the order in which they start; those of one level side by side.",
        examples=[[["store"], ["api"], ["web"]]],
    )
