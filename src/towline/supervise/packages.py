"""Distribution packages that `towline up` installs when it may."""

import os
import shutil
from collections.abc import Callable, Sequence

from towline.errors import Unavailable
from towline.supervise.spawn import run_to_end

_LIST_SECONDS = 180
_INSTALL_SECONDS = 900
_LOCK_WAIT = "DPkg::Lock::Timeout=120"


def can_install_packages() -> bool:
    """Whether this process may use apt here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(names: Sequence[str], *, report: Callable[[str], None]) -> None:
    """Install Debian packages without asking; Unavailable, with apt's last words, when that fails."""
    report(f"Installing {', '.join(names)} …")
    install = ["apt-get", "-o", _LOCK_WAIT, "install", "--yes", "--no-install-recommends", "--", *names]
    if _run(install, _INSTALL_SECONDS)[0] == 0:
        return
    _run(["apt-get", "-o", _LOCK_WAIT, "update"], _LIST_SECONDS)
    exit_code, output = _run(install, _INSTALL_SECONDS)
    if exit_code:
        raise Unavailable(
            f"The packages {', '.join(names)} could not be installed: {output.strip()[-400:]}",
            hint=f"Run `apt-get install {' '.join(names)}` yourself, then `towline up` again.",
        )


def _run(arguments: Sequence[str], timeout_seconds: float) -> tuple[int, str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return run_to_end(arguments, timeout_seconds=timeout_seconds, environment=environment)
