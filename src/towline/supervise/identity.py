"""Which process is which: a process id alone may have been given to another program."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process told apart from any later one with the same id: start time in clock ticks, program, boot."""

    process_id: int
    started: int
    program: str
    boot: str


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """What a pid file holds: the process, and a digest of how it was started."""

    identity: ProcessIdentity
    fingerprint: str


def read_identity(process_id: int) -> ProcessIdentity | None:
    """Identity of a live process; None when there is none, it is a zombie, or it is not ours to look at."""
    try:
        state, started = _state_and_start(process_id)
        program = str(Path(f"/proc/{process_id}/exe").readlink()).removesuffix(" (deleted)")
    except (OSError, ValueError, IndexError):
        return None
    return None if state in "ZX" else ProcessIdentity(process_id, started, program, boot_id())


def is_running(identity: ProcessIdentity) -> bool:
    """Whether exactly this process is alive."""
    return read_identity(identity.process_id) == identity


def identity_before_exec(program: Path) -> ProcessIdentity:
    """What the calling process will be once it has become `program`: the start time survives exec."""
    _, started = _state_and_start(os.getpid())
    return ProcessIdentity(os.getpid(), started, str(program.resolve()), boot_id())


def write_record(path: Path, record: ProcessRecord) -> None:
    """Put a pid file in place in one step."""
    temporary = path.with_suffix(f".{record.identity.process_id}.new")
    temporary.write_text(json.dumps({**asdict(record.identity), "fingerprint": record.fingerprint}))
    temporary.replace(path)


def find_running_record(path: Path) -> ProcessRecord | None:
    """The record of a pid file when its very process is still alive."""
    try:
        fields = json.loads(path.read_text())
        fingerprint = str(fields.pop("fingerprint"))
        record = ProcessRecord(ProcessIdentity(**fields), fingerprint)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return record if is_running(record.identity) else None


def boot_id() -> str:
    """Changes with every boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _state_and_start(process_id: int) -> tuple[str, int]:
    # The program's name stands in parentheses and may hold spaces and parentheses itself (proc(5)).
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[19])
