"""The hosts at which Towline itself answered before, in a file of the data folder: they go on leading to it."""

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from towline.infra.private_files import alone, write_private

MOST: Final = 5
"""How many are kept; the one that was left first goes first."""

NOTED_EVERY: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FormerHost:
    """A host that Towline left: when it came (None: at the beginning) and left, and the last use by a program since."""

    host: str
    left_at: datetime
    came_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    current: str = ""
    came_at: datetime | None = None
    former: tuple[FormerHost, ...] = ()


class FormerHosts:
    """The former hosts of one installation, whose present one is `current`.

    Whatever else reads or changes the file has seen what was done here, and the other way round.
    """

    def __init__(self, data_dir: Path, *, current: str) -> None:
        self._file = data_dir / "former-hosts.json"
        self._lock_file = data_dir / "former-hosts.lock"
        self._current = current
        self._stamp: tuple[int, int] | None = None
        self._kept = _Kept()
        self._noted: dict[str, datetime] = {}

    def list_hosts(self) -> tuple[FormerHost, ...]:
        """The one that was left last comes first; never the present one."""
        return tuple(one for one in self._read().former if one.host != self._current)

    def has(self, host: str) -> bool:
        """Whether a host is one of them."""
        return any(one.host == host for one in self.list_hosts())

    def find_host_of(self, moment: datetime) -> str | None:
        """Where Towline was at a moment, if that is a former host."""
        was_there = (one for one in self.list_hosts() if (one.came_at or moment) <= moment < one.left_at)
        return next((one.host for one in was_there), None)

    def move(self) -> None:
        """Keep the host that was the present one up to now as a former one; can be repeated. Blocking."""
        with self._changing():
            kept = self._read()
            if kept.current == self._current:
                return
            now = datetime.now(UTC)
            left = (FormerHost(kept.current, now, kept.came_at),) if kept.current else ()
            others = (one for one in kept.former if one.host not in {kept.current, self._current})
            self._write(_Kept(self._current, now if left else None, (*left, *others)[:MOST]))

    def retire(self, host: str) -> None:
        """Forget a host. Done when it is none of them. Blocking."""
        self._change(lambda former: [one for one in former if one.host != host])

    def is_worth_noting(self, host: str, *, now: datetime) -> bool:
        """Whether a use is later enough than the one that this process noted last."""
        noted_at = self._noted.get(host)
        return noted_at is None or now - noted_at >= NOTED_EVERY

    def note_use(self, host: str, *, now: datetime) -> None:
        """Note when a host was used last. Blocking."""
        self._noted[host] = now  # first, so that a full disk is not asked again and again
        self._change(lambda former: [replace(one, last_used_at=now) if one.host == host else one for one in former])

    def _change(self, change: Callable[[Iterable[FormerHost]], list[FormerHost]]) -> None:
        with self._changing():
            kept = self._read()
            former = tuple(change(kept.former))
            if former != kept.former:
                self._write(replace(kept, former=former))

    def _changing(self) -> AbstractContextManager[None]:
        return alone(self._lock_file)

    def _write(self, kept: _Kept) -> None:
        write_private(self._file, json.dumps(asdict(kept), default=datetime.isoformat))

    def _read(self) -> _Kept:
        """What is kept, read again only once the file is another one."""
        try:
            facts = self._file.stat()
            stamp = (facts.st_ino, facts.st_mtime_ns)
            if stamp != self._stamp:
                self._kept, self._stamp = _parse(self._file.read_text()), stamp
        except FileNotFoundError:
            self._kept, self._stamp = _Kept(), None
        return self._kept


def _parse(content: str) -> _Kept:
    """A damaged file is as none: old addresses are a convenience, and must not keep Towline from starting."""
    try:
        fields: dict[str, Any] = json.loads(content)
        former = tuple(_host(one) for one in fields["former"])
        return _Kept(fields["current"], _moment(fields["came_at"]), former)
    except (ValueError, KeyError, TypeError):
        return _Kept()


def _host(fields: dict[str, Any]) -> FormerHost:
    left_at = datetime.fromisoformat(fields["left_at"])
    return FormerHost(fields["host"], left_at, _moment(fields["came_at"]), _moment(fields["last_used_at"]))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
