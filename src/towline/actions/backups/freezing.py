"""A service as it was: its settings and sealed variables, kept with a backup, so that it can be made anew."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import select

from towline.actions.configuration.settings import WantedVariable, reveal
from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.backups import Backup
from towline.models.services import Service, Variable

_FORGOTTEN: Final = ("replicas",)


def backup_context(backup: Backup) -> str:
    """What a backup's sealed variables are bound to."""
    return f"backup:{backup.id}"


def freeze_settings(service: Service) -> dict[str, Any]:
    """The contract's fields of a service, without what belongs to one environment and without secrets."""
    own = {
        "type": service.type,
        "source": {"type": service.source_type, "config": service.source_config},
        "dockerfile_path": service.dockerfile_path,
        "port": service.port,
    }
    given = {**service.build, **service.run, **own}
    return {name: value for name, value in given.items() if name not in _FORGOTTEN}


async def freeze_variables(platform: Platform, work: Work, service: Service, backup: Backup) -> bytes:
    """The service's own variables, sealed as one value."""
    rows = await work.session.scalars(select(Variable).where(Variable.service_id == service.id).order_by(Variable.name))
    frozen = [
        [row.name, reveal(platform, row), row.is_secret, list(row.environment_kinds or ()), row.mount_path]
        for row in rows
    ]
    return platform.secrets.seal(orjson.dumps(frozen), context=backup_context(backup))


def thaw_variables(platform: Platform, backup: Backup, *, name: str) -> Sequence[WantedVariable]:
    """The variables for a service of another name: what referred to the service itself refers to the new one."""
    if not backup.variables:
        return ()
    frozen: list[list[Any]] = orjson.loads(platform.secrets.open(backup.variables, context=backup_context(backup)))
    return [
        WantedVariable(
            variable, _renamed(value, backup.service_name, name), is_secret, tuple(kinds), mount_path=mount_path
        )
        for variable, value, is_secret, kinds, mount_path in frozen
    ]


def thaw_settings(backup: Backup, *, is_test: bool) -> Mapping[str, Any]:
    """The settings for the new service: it is not dumped on schedule before somebody says so."""
    settings = dict(backup.settings)
    if settings.get("backup"):
        settings["backup"] = {**settings["backup"], "schedule": None}
    if is_test and settings["type"] == "web":
        settings["type"] = "worker"  # nobody shall reach it
    return settings


def _renamed(value: str, old: str, new: str) -> str:
    return re.sub(rf"(\$\{{\{{\s*services\.){re.escape(old)}\.", rf"\g<1>{new}.", value)
