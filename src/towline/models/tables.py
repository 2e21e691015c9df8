"""Every table, for the migrations: importing this module registers them all."""

from sqlalchemy import MetaData

from towline.models import (
    accounts,
    deployments,
    history,
    identities,
    members,
    projects,
    second_factors,
    services,
    sessions,
)
from towline.models.base import Row

MODULES = (accounts, deployments, history, identities, members, projects, second_factors, services, sessions)


def all_tables() -> MetaData:
    """The metadata of every table."""
    return Row.metadata
