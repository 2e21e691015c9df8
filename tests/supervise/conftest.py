"""Supervisors of a test's own, on data folders of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest
from tests.conftest import wait_until

from towline.supervise.layout import Layout
from towline.supervise.leftovers import end_leftovers
from towline.supervise.postgres import prepare_postgres
from towline.supervise.status import PartState, Status, find_status


@dataclass(frozen=True, slots=True)
class Run:
    """One supervisor process."""

    process: subprocess.Popen[bytes]
    layout: Layout

    @property
    def status(self) -> Status:
        """What it says of itself now."""
        status = find_status(self.layout.status_file)
        assert status is not None
        return status

    def is_ready(self) -> bool:
        """Whether this very supervisor says that everything is ready."""
        assert self.process.poll() is None, "the supervisor ended"
        status = find_status(self.layout.status_file)
        return status is not None and status.supervisor == self.process.pid and status.is_ready

    def process_id(self, part: str) -> int:
        """Process id of a part."""
        return self.status.parts[part].process_id

    def has_new_process(self, part: str, old: int) -> bool:
        """Whether a part runs again, as another process than `old`."""
        found = self.status.parts[part]
        return found.state is PartState.READY and found.process_id not in {0, old}

    def kill(self) -> None:
        """kill -9, as the kernel or an angry administrator would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def layout(data_folder_base: Path) -> Iterator[Layout]:
    """An unused data folder; what still runs for it at the end is ended."""
    folder = Path(mkdtemp(dir=data_folder_base))
    folder.chmod(0o711)
    layout = Layout(folder / "data")
    yield layout
    if layout.run.exists():
        end_leftovers(layout)


@pytest.fixture
def start(layout: Layout) -> Iterator[Callable[..., Run]]:
    """Start a supervisor of the databases for `layout`."""
    started: list[Run] = []

    def start_databases(*, environment: Mapping[str, str] | None = None, leash: int = 0) -> Run:
        arguments = ["internal", "databases", "--data", str(layout.root), "--leash", str(leash or os.getpid())]
        process = subprocess.Popen(
            [sys.executable, "-m", "towline", *arguments],
            env={**os.environ, **(environment or {})},
            stderr=subprocess.PIPE,
        )
        started.append(Run(process, layout))
        return started[-1]

    yield start_databases
    for run in started:
        if run.process.poll() is None:
            run.stop()
        assert run.process.stderr is not None
        run.process.stderr.close()


@pytest.fixture(scope="session")
def cluster(data_folder_base: Path) -> Path:
    """A stopped PostgreSQL cluster to copy, as making one takes longer than most tests."""
    layout = Layout(data_folder_base / "cluster")
    layout.prepare()
    prepare_postgres(layout)
    return layout.postgres


@pytest.fixture
def running(layout: Layout, cluster: Path, start: Callable[..., Run]) -> Run:
    """A supervisor whose databases are ready."""
    layout.prepare()
    subprocess.run(["cp", "-a", "--", str(cluster), str(layout.postgres)], check=True)
    run = start()
    wait_until(run.is_ready, timeout=30)
    return run
