"""Where everything lies in the data folder: sockets, logs, keys, databases."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from towline.errors import Conflict, InvalidInput

_LONGEST_SOCKET_PATH = 107  # sun_path has 108 bytes with its final zero (unix(7))
_LONGEST_SOCKET_NAME = "/postgres/.s.PGSQL.5432"
_OUTSIDE = 0o711  # server accounts pass through these folders but cannot list them
_INSIDE = 0o700


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one data folder; nothing here touches the disk but `prepare`."""

    root: Path

    @property
    def state_file(self) -> Path:
        """What must outlive a restart: installation id, ports, settings."""
        return self.root / "state.json"

    @property
    def run(self) -> Path:
        """Process records, locks and the status shown to people."""
        return self.root / "run"

    @property
    def lock_file(self) -> Path:
        """Held by the one supervisor of this data folder."""
        return self.run / "supervisor.lock"

    @property
    def status_file(self) -> Path:
        """What the supervisor says of its parts."""
        return self.run / "status.json"

    @property
    def sockets(self) -> Path:
        """Folder of the servers' socket folders; elsewhere when the data folder's path is too long for sockets."""
        inside = self.run / "sockets"
        if len(os.fsencode(inside)) + len(_LONGEST_SOCKET_NAME) <= _LONGEST_SOCKET_PATH:
            return inside
        return _short_folder(self.root)

    @property
    def logs(self) -> Path:
        """One size-bounded file per part."""
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        """Secrets made at the first start."""
        return self.root / "keys"

    @property
    def key_file(self) -> Path:
        """The file with the keys that seal secrets (`Settings.key_file`)."""
        return self.keys / "secrets.key"

    @property
    def programs(self) -> Path:
        """Copies of server programs whose own place the servers' account cannot reach."""
        return self.root / "programs"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's cluster."""
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's append-only files."""
        return self.root / "valkey"

    @property
    def traefik(self) -> Path:
        """Traefik's configuration and certificates; `routes` inside is the watched folder."""
        return self.root / "traefik"

    @property
    def artifacts(self) -> Path:
        """Bundles."""
        return self.root / "artifacts"

    def log_file(self, part: str) -> Path:
        """Log of one part."""
        return self.logs / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        """Record of the process of one part."""
        return self.run / f"{part}.pid"

    def prepare(self) -> None:
        """Make the folders with their modes; Conflict when the data folder holds something else already."""
        try:
            self._refuse_foreign_folder()
            for folder in (self.root, self.run, self.sockets, self.programs):
                _make_folder(folder, _OUTSIDE)
            for folder in (self.logs, self.keys, self.artifacts, self.traefik, self.traefik / "routes"):
                _make_folder(folder, _INSIDE)
        except OSError as error:
            raise InvalidInput(
                f"The data folder {self.root} cannot be made: {error.strerror}.",
                hint="Give a folder you may write with `--data DIR`.",
            ) from error

    def _refuse_foreign_folder(self) -> None:
        if self.root.exists() and not self.run.exists() and any(self.root.iterdir()):
            raise Conflict(
                f"The folder {self.root} is not empty and was not made by Towline.",
                hint="Give an empty or a new folder with `--data DIR`.",
            )


def default_data_folder() -> Path:
    """`/var/lib/towline` for root, the user's data folder (XDG Base Directory) otherwise."""
    if given := os.environ.get("TOWLINE_DATA_DIR"):
        return Path(given).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/towline")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "towline"


def _short_folder(root: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    if os.geteuid() == 0:
        return Path("/run") / f"towline-{digest}"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / f"towline-{digest}" if runtime else Path("/tmp") / f"towline-{os.geteuid()}-{digest}"  # noqa: S108 - ownership is checked below


def _make_folder(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise Conflict(
            f"{folder} belongs to another user or is not a folder.",
            hint="Run Towline as the user who owns it, or give another folder with `--data DIR`.",
        )
    if stat.S_IMODE(facts.st_mode) != mode:
        folder.chmod(mode)
