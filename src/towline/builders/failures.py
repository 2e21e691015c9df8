"""Turn a failed build into the error that says what happened and what to do next."""

import re
from collections.abc import Sequence
from typing import Final

from towline.builders.progress import Progress
from towline.errors import (
    BuildFailed,
    DiskFull,
    ImageNotFound,
    OrchestratorUnavailable,
    OutOfMemory,
    TimedOut,
    TowlineError,
)

_METADATA: Final = re.compile(r"\[(?:\S+ )?internal\] load metadata for (\S+)")
_SYNTAX: Final = re.compile(r"resolve image config for (?:docker-image://)?(\S+)")
_EXIT_CODE: Final = re.compile(r"exit code: (\d+)")
_KILLED: Final = 137
_OFFLINE: Final = ("no such host", "connection refused", "i/o timeout", "network is unreachable", "tls handshake")
_LOST: Final = (
    *("cannot connect to the docker daemon", "error during connect", "unexpected eof"),
    *("code = unavailable", "connection reset by peer", "broken pipe", "did not provide an image id"),
)
"""How the client ends when the daemon is not there or went away; no step has failed then."""


def build_failure(
    progress: Progress, *, exit_code: int, tail: str, is_out_of_memory: bool, memory_bytes: int
) -> TowlineError:
    """The error of a build whose client ended with `exit_code`; `tail` is the client's raw last output."""
    step, error = progress.failed_step, progress.error or _last_line(tail)
    code = _EXIT_CODE.search(error)
    everything = "\n".join([error, *progress.last_output]).lower()
    if not step and any(sign in _last_line(tail).lower() for sign in _LOST):
        return OrchestratorUnavailable("Docker does not answer, so nothing can be built.")
    if is_out_of_memory or (code and int(code[1]) == _KILLED):
        return OutOfMemory(
            f"The build step {_shown(step)} was killed because it used more than the {memory_bytes // 2**20} MB"
            " of memory a build may have."
        )
    if "no space left on device" in everything:
        return DiskFull(f"The build step {_shown(step)} found no space left on the disk.")
    return _image_failure(step, error) or _step_failure(progress, error, code=code and code[1], exit_code=exit_code)


def timeout_failure(progress: Progress, *, seconds: float) -> TimedOut:
    """The error of a build that used up its time, with what ran last."""
    return TimedOut(
        f"The build took longer than {seconds:g} s; the step {_shown(progress.current)} ran last.",
        hint="Raise the time limit of builds, or find what the step waits for." + _quoted(progress.last_output),
    )


def _image_failure(step: str, error: str) -> TowlineError | None:
    if syntax := _SYNTAX.match(step):
        return BuildFailed(
            f"The Dockerfile asks for the build frontend {syntax[1].rstrip(':')}, which could not be had: {error}.",
            hint="Remove the `# syntax=` line to build with the frontend inside Docker, or give the machine a way to"
            " the registry.",
        )
    if not (base := _METADATA.match(step)):
        return None
    is_offline = any(sign in error.lower() for sign in _OFFLINE)
    return ImageNotFound(
        f"The base image {base[1]} is not on this machine and could not be pulled: {error}.",
        hint="This machine cannot reach the registry: check its network, or load the image (`docker load`)."
        if is_offline
        else "Check the name and tag after FROM, and the registry's credentials.",
    )


def _step_failure(progress: Progress, error: str, *, code: str | None, exit_code: int) -> BuildFailed:
    lines = _quoted(progress.last_output)
    if code:
        return BuildFailed(
            f"The build step {_shown(progress.failed_step)} ended with exit code {code}.",
            hint="Correct the step and deploy again." + (lines or " It printed nothing."),
        )
    if "unknown instruction" in error or "parse error" in error:
        return BuildFailed(
            f"The Dockerfile cannot be read: {error}.",
            hint="Correct the named line; heredocs (<<EOF) need a newer Docker than some distributions ship.",
        )
    where = f" at the step {_shown(progress.failed_step)}" if progress.failed_step else ""
    return BuildFailed(
        f"The build failed{where}: {error or f'docker ended with exit code {exit_code}'}.",
        hint=None if not lines else "Correct the step and deploy again." + lines,
    )


def _shown(step: str) -> str:
    return f"“{step[:200]}”" if step else "that ran last"


def _quoted(lines: Sequence[str]) -> str:
    return " Its last lines were:\n" + "\n".join(line[:500] for line in lines[-10:]) if lines else ""


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
