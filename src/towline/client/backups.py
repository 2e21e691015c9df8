"""Calls about dumps, snapshots, restores and volumes."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from towline.client.connection import Call, Connection
from towline.contract.backups import (
    Backup,
    BackupCreate,
    BackupList,
    BackupQuery,
    BackupRestore,
    BackupTest,
    Restore,
    VolumeCopy,
    VolumeList,
    VolumeRestore,
    VolumeSnapshot,
)
from towline.errors import TimedOut

_POLL_SECONDS = 0.3


class Backups:
    """Dumps and snapshots; `project` and `service` are ids or names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, query: BackupQuery | None = None) -> BackupList:
        """One page of a project's backups."""
        return self._connection.send(Call("backups.list", {"project": project}, query=query), BackupList)

    def create(self, project: str, service: str, body: BackupCreate | None = None) -> Backup:
        """Dump a service now; it goes on after the answer."""
        path: dict[str, str | int] = {"project": project, "service": service}
        return self._connection.send(Call("backups.create", path, body=body or BackupCreate()), Backup)

    def get(self, project: str, backup: str) -> Backup:
        """One backup."""
        return self._connection.send(Call("backups.get", {"project": project, "backup": backup}), Backup)

    def download(self, project: str, backup: str, target: Path) -> int:
        """Write the content, packed by zstd, to a file that is not there yet; its bytes."""
        call = Call("backups.download", {"project": project, "backup": backup})
        timeout = httpx2.Timeout(60, connect=10)
        with self._connection.stream(call, headers={}, timeout=timeout) as response, target.open("xb") as file:
            target.chmod(0o600)
            for chunk in response.iter_bytes():
                file.write(chunk)
            return file.tell()

    def delete(self, project: str, backup: str) -> None:
        """Delete a backup with its content."""
        self._connection.run(Call("backups.delete", {"project": project, "backup": backup}))

    def restore(self, project: str, backup: str, body: BackupRestore | None = None) -> Restore:
        """Restore into a new service; it goes on after the answer."""
        path: dict[str, str | int] = {"project": project, "backup": backup}
        return self._connection.send(Call("backups.restore", path, body=body or BackupRestore()), Restore)

    def test(self, project: str, backup: str, body: BackupTest | None = None) -> Restore:
        """Restore into a service that is removed afterwards."""
        path: dict[str, str | int] = {"project": project, "backup": backup}
        return self._connection.send(Call("backups.test", path, body=body or BackupTest()), Restore)

    def get_restore(self, project: str, restore: str) -> Restore:
        """How far a restore is."""
        return self._connection.send(Call("restores.get", {"project": project, "restore": restore}), Restore)

    def wait_for(self, project: str, backup: str, *, timeout: float) -> Backup:
        """The backup once it has ended, well or badly."""
        for _ in _until(timeout, what=backup):
            found = self.get(project, backup)
            if found.status in {"success", "failed"}:
                return found
        raise AssertionError

    def wait_for_restore(self, project: str, restore: str, *, timeout: float) -> Restore:
        """The restore once it has ended, well or badly."""
        for _ in _until(timeout, what=restore):
            found = self.get_restore(project, restore)
            if found.status in {"success", "failed"}:
                return found
        raise AssertionError


class Volumes:
    """Volumes of services."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str) -> VolumeList:
        """Volumes of a project with their size."""
        return self._connection.send(Call("volumes.list", {"project": project}), VolumeList)

    def snapshot(self, project: str, service: str, volume: str, body: VolumeSnapshot | None = None) -> Backup:
        """Keep a volume as it is now."""
        call = Call("volumes.snapshot", _path(project, service, volume), body=body or VolumeSnapshot())
        return self._connection.send(call, Backup)

    def restore(self, project: str, service: str, volume: str, body: VolumeRestore) -> Restore:
        """Make a volume what a snapshot holds."""
        return self._connection.send(Call("volumes.restore", _path(project, service, volume), body=body), Restore)

    def copy(self, project: str, service: str, volume: str, body: VolumeCopy) -> Restore:
        """Copy a volume's content into another environment."""
        return self._connection.send(Call("volumes.copy", _path(project, service, volume), body=body), Restore)


def _path(project: str, service: str, volume: str) -> dict[str, str | int]:
    return {"project": project, "service": service, "volume": volume}


def _until(timeout: float, *, what: str) -> Iterator[None]:
    deadline = time.monotonic() + timeout
    while True:
        yield
        if time.monotonic() > deadline:
            raise TimedOut(f"{what} did not end within {timeout:g} s.", hint="It goes on; look at it again later.")
        time.sleep(_POLL_SECONDS)
