"""Wiring: Settings -> Platform; the only file that names concrete adapters."""

import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from towline.actions.capacity import BuildSlots, build_cpus, build_memory
from towline.actions.former_hosts import keep_former_host
from towline.actions.platform import Platform
from towline.builders.auto import AutoBuilder
from towline.builders.base import Builder
from towline.builders.buildkit import BuildKit
from towline.builders.dockerfile import DockerfileBuilder
from towline.builders.node import NodeBuilder
from towline.builders.packs import NixpacksBuilder, RailpackBuilder
from towline.builders.python import PythonBuilder
from towline.builders.static import StaticBuilder, StaticServer
from towline.config import Settings
from towline.infra.counters import Counters
from towline.infra.database import Database
from towline.infra.disk_reserve import DiskReserve
from towline.infra.former_hosts import FormerHosts
from towline.infra.queue import Bell
from towline.infra.secrets import load_secret_box
from towline.infra.streams import Streams
from towline.names import has_authority
from towline.orchestrators.docker.orchestrator import DockerOrchestrator
from towline.routing.base import Router
from towline.routing.labels import LabelsRouter
from towline.routing.traefik.options import PlatformRoutes, TraefikOptions
from towline.routing.traefik.router import TraefikRouter
from towline.sources.base import Source
from towline.sources.custom import CustomSource
from towline.sources.git.source import GitSource
from towline.sources.installed import load_installed_sources
from towline.sources.platforms.source import PLATFORMS, PlatformSource
from towline.sources.push import PushSource
from towline.sources.upload import UploadSource
from towline.storage.base import Storage
from towline.storage.dumps import LocalDumps
from towline.storage.local import LocalStorage
from towline.storage.repositories.local import LocalRepositories
from towline.storage.uploads import LocalUploads


@asynccontextmanager
async def open_platform(settings: Settings, *, pool_size: int = 5) -> AsyncGenerator[Platform]:
    """The platform of one process; its connections are closed on leaving."""
    database = Database(settings.database_url, pool_size=pool_size)
    streams, counters = Streams(settings.redis_url), Counters(settings.redis_url)
    try:
        platform = make_platform(settings, database, streams, counters)
        await keep_former_host(platform)
        yield platform
    finally:
        await counters.close()
        await streams.close()
        await database.close()


def make_platform(settings: Settings, database: Database, streams: Streams, counters: Counters) -> Platform:
    """The platform with its real parts."""
    storage = LocalStorage(settings.artifacts_dir)
    uploads_dir = settings.data_dir / "uploads"
    former_hosts = FormerHosts(settings.data_dir, current=settings.effective_platform_host)
    return Platform(
        settings=settings,
        database=database,
        streams=streams,
        bell=Bell(streams),
        secrets=load_secret_box(settings.key_file),
        sources=_sources(settings, storage, uploads_dir),
        builder=_builder(settings),
        orchestrator=DockerOrchestrator(
            docker_host=settings.docker_host,
            installation_id=settings.installation_id,
            network_pool=settings.network_pool,
        ),
        router=_router(settings, former_hosts),
        storage=storage,
        uploads=LocalUploads(uploads_dir, max_bytes=settings.upload_max_bytes, reserve=DiskReserve(settings.data_dir)),
        build_slots=BuildSlots(settings),
        counters=counters,
        dumps=LocalDumps(settings.backups_dir),
        repositories=make_repositories(settings),
        former_hosts=former_hosts,
    )


def make_repositories(settings: Settings) -> LocalRepositories:
    """The repositories that are pushed to."""
    return LocalRepositories(
        settings.repositories_dir,
        settings.data_dir / "tmp",
        max_push_bytes=settings.push_max_bytes,
        longest_push=settings.push_timeout,
    )


def start_logging(settings: Settings) -> None:
    """Towline's own log: one line per entry on standard error, which the supervisor keeps."""
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def _builder(settings: Settings) -> Builder:
    kit = BuildKit(
        docker_cli=settings.docker_cli,
        docker_host=settings.docker_host,
        memory_bytes=build_memory(settings),
        cpus=build_cpus(settings),
        total_memory_bytes=build_memory(settings) * settings.build_concurrency,
    )
    server = StaticServer(settings.static_image, settings.static_server)
    return AutoBuilder(
        [
            DockerfileBuilder(kit),
            NodeBuilder(kit, image=settings.node_image, server=server),
            PythonBuilder(kit, image=settings.python_image),
            StaticBuilder(kit, server=server),
            NixpacksBuilder(kit),
            RailpackBuilder(kit),
        ]
    )


def _sources(settings: Settings, storage: Storage, uploads_dir: Path) -> dict[str, Source]:
    scratch = settings.data_dir / "tmp"
    git = GitSource(storage.store_tree, scratch, known_hosts=settings.data_dir / "keys" / "known_hosts")
    sources: list[Source] = [
        UploadSource(storage.store_tree, uploads_dir),
        CustomSource(storage.store_tree, scratch),
        PushSource(storage.store_tree, scratch, settings.repositories_dir),
        git,
        *(PlatformSource(platform, git) for platform in PLATFORMS),
    ]
    installed = load_installed_sources(storage.store_tree, scratch, taken={source.kind for source in sources})
    return {source.kind: source for source in [*sources, *installed]}


def _router(settings: Settings, former_hosts: FormerHosts) -> Router:
    if settings.routing == "labels":
        return LabelsRouter()
    folder = settings.routes_dir.parent
    host = settings.effective_platform_host
    has_certificate = has_authority(host, email=settings.acme_email, directory_url=settings.acme_directory_url)
    return TraefikRouter(
        TraefikOptions(
            routes_dir=settings.routes_dir,
            api_url=settings.traefik_api_url,
            api_password=settings.traefik_api_password.get_secret_value(),
            platform=PlatformRoutes(
                host=host,
                api_url=f"http://127.0.0.1:{settings.api_port}",
                setup_hosts=tuple(settings.own_hosts - {host}),
                certificate="acme" if has_certificate else "default",
                redirect_to_https=has_certificate,
            ),
            https_port=settings.https_port,
            log_file=folder / "traefik.log",
            acme_storage=folder / "acme.json",
            acme_email=settings.acme_email,
            public_addresses=settings.public_addresses,
            door_key=settings.door_key,
            list_former_hosts=lambda: [former.host for former in former_hosts.list_hosts()],
        )
    )
