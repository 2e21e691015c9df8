"""Every table, for the migrations: importing this module registers them all."""

from sqlalchemy import MetaData

from towline.models import (
    accounts,
    backups,
    connections,
    deployments,
    groups,
    history,
    hooks,
    identities,
    key_checks,
    members,
    metrics,
    notifications,
    preview_certificates,
    previews,
    private_images,
    projects,
    runs,
    second_factors,
    services,
    sessions,
    variable_changes,
    webhook_secrets,
)
from towline.models.base import Row

MODULES = (
    accounts,
    backups,
    connections,
    deployments,
    groups,
    history,
    hooks,
    identities,
    key_checks,
    members,
    metrics,
    notifications,
    preview_certificates,
    previews,
    private_images,
    projects,
    runs,
    second_factors,
    services,
    sessions,
    variable_changes,
    webhook_secrets,
)


def all_tables() -> MetaData:
    """The metadata of every table."""
    return Row.metadata
