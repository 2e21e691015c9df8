"""What the engine says about a built image, as our own value."""

from collections.abc import Mapping
from typing import Any, cast

from towline.names import find_reserved_labels
from towline.values import Image


def image_from(answer: Mapping[str, Any]) -> Image:
    """The Image described by the engine's answer to `GET /images/{id}/json`.

    The port is the lowest TCP port the image exposes, None when it exposes none.
    """
    settings = cast("Mapping[str, Any]", answer.get("Config") or {})
    exposed = cast("Mapping[str, object]", settings.get("ExposedPorts") or {})
    ports = [int(number) for number, _, kind in (name.partition("/") for name in exposed) if kind in {"", "tcp"}]
    test = cast("Mapping[str, list[str]]", settings.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return Image(
        reference=str(answer["Id"]),
        digest=str(answer["Id"]),
        size=int(answer.get("Size") or 0),
        port=min(ports, default=None),
        has_healthcheck=test[0] != "NONE",
        reserved_labels=find_reserved_labels(cast("Mapping[str, str]", settings.get("Labels") or {})),
    )
