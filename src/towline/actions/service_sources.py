"""Where a service's code comes from: its configuration checked by the source, its secrets sealed."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from towline.actions.deployments.credentials import credential_context
from towline.actions.deployments.make import build_secrets_context
from towline.actions.platform import Platform
from towline.actions.remotes import Remote, remote_of
from towline.errors import InvalidInput
from towline.models.services import Service
from towline.values import Credential


def check_source(platform: Platform, source: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a source as the source itself completed it; InvalidInput naming the field otherwise."""
    kind = source["type"]
    if kind not in platform.sources:
        known = ", ".join(sorted(platform.sources))
        raise InvalidInput(f"There is no source {kind!r} here; there are {known}.", field="source.type")
    config: dict[str, object] = source.get("config") or {}
    if kind == "custom" and not config:
        return {}
    try:
        return dict(platform.sources[kind].validate_config(config))
    except InvalidInput as error:
        field = f"source.config.{error.field}" if error.field else "source.config"
        raise InvalidInput(error.message, hint=error.hint, field=field) from error


def seal_credential(platform: Platform, service: Service, credential: Mapping[str, str] | None) -> bytes | None:
    """The credential for the source, sealed; None when there is none or it is empty."""
    if credential is None or not any(credential.values()):
        return None
    return platform.secrets.seal(orjson.dumps(asdict(Credential(**credential))), context=credential_context(service))


def open_build_secrets(platform: Platform, service: Service) -> dict[str, str]:
    """The build secrets of a service by name."""
    if service.build_secrets is None:
        return {}
    return orjson.loads(platform.secrets.open(service.build_secrets, context=build_secrets_context(service)))


def find_remote(service: Service) -> Remote:
    """Which remote a service's credential is for."""
    return remote_of(service.source_type, service.source_config)
