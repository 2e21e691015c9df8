"""Platform: the collaborators of every action, each by its interface."""

import os
import platform as machine
from collections.abc import Mapping
from dataclasses import dataclass, field

from towline.actions.capacity import BuildSlots
from towline.actions.passwords import Passwords
from towline.builders.base import Builder
from towline.config import Settings
from towline.infra.counters import Counters
from towline.infra.database import Database
from towline.infra.documents import Documents
from towline.infra.former_hosts import FormerHosts
from towline.infra.precedence import Precedence
from towline.infra.queue import Bell
from towline.infra.secrets import SecretBox
from towline.infra.streams import Streams
from towline.orchestrators.base import Orchestrator
from towline.routing.base import Router
from towline.sources.base import Source
from towline.storage.base import DumpFiles, Repositories, Storage, UploadFiles


@dataclass(frozen=True)
class Platform:
    """Everything an action may touch; made once per process by wiring, and by tests with other parts."""

    settings: Settings
    database: Database
    streams: Streams
    bell: Bell
    secrets: SecretBox
    sources: Mapping[str, Source]
    builder: Builder
    orchestrator: Orchestrator
    router: Router
    storage: Storage
    uploads: UploadFiles
    build_slots: BuildSlots
    counters: Counters
    dumps: DumpFiles
    repositories: Repositories
    former_hosts: FormerHosts
    unpublished: set[str] = field(default_factory=set[str])
    """Environments whose routes could not be written, by id; tried again at every sweep."""
    receiving: Precedence = field(default_factory=Precedence)
    """Webhooks that come in just now; working through them gives way, since their senders wait for an answer."""
    documents: Documents = field(default_factory=Documents)
    """What identity providers publish about themselves."""
    passwords: Passwords = field(default_factory=Passwords)

    @property
    def worker_name(self) -> str:
        """Names this process among all workers: host, process id and when it started."""
        return f"{machine.node()}:{os.getpid()}:{process_started_at(os.getpid())}"


def process_started_at(process_id: int) -> str:
    """Start time of a process in clock ticks since boot, which with its id names it for good; empty when gone."""
    try:
        with open(f"/proc/{process_id}/stat") as file:  # noqa: PTH123 - procfs, read at once
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""
