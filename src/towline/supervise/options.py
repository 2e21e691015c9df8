"""What people may ask of `towline up`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from towline.supervise.layout import Layout, default_data_folder

Report = Callable[[str], None]
"""Takes one line of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """The options of `towline up`; None means what was used before, or the default at the first start."""

    data: Path | None = None
    port: int | None = None
    https_port: int | None = None
    base_domain: str | None = None
    empty: bool = False
    detach: bool = False
    as_json: bool = False

    @property
    def layout(self) -> Layout:
        """The data folder these options mean."""
        return layout_of(self.data)

    @property
    def settings(self) -> dict[str, str]:
        """The options as TOWLINE_… variables."""
        given = {
            "TOWLINE_HTTP_PORT": self.port,
            "TOWLINE_HTTPS_PORT": self.https_port,
            "TOWLINE_BASE_DOMAIN": self.base_domain,
        }
        return {name: str(value) for name, value in given.items() if value is not None}


def layout_of(data: Path | None) -> Layout:
    """The layout of a given data folder, or of the default one."""
    return Layout((data or default_data_folder()).absolute())
