"""What a deployment fetches with: its service's own credential, else that of its repository's connection."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from towline.actions.connections.administration import find_connection
from towline.actions.connections.calling import TO_FETCH, open_line
from towline.actions.deployments.attempt import Attempt
from towline.actions.deployments.job import Job
from towline.actions.platform import Platform
from towline.actions.repositories import repository_of
from towline.models.connections import Connection
from towline.models.deployments import Deployment
from towline.models.services import Service
from towline.values import Credential


def credential_context(service: Service) -> str:
    """What a service's sealed source credential is bound to."""
    return f"source:{service.id}"


async def find_fetch_credential(attempt: Attempt, job: Job) -> Credential | None:
    """The credential, masked in the deployment's log from now on; None when nothing is kept for the source.

    HostUnavailable or HostRefused when the platform gives the connection's App no token.
    """
    platform, deployment = attempt.platform, attempt.deployment
    if job.service.source_credential is not None and _is_of_service(deployment, job.service):
        sealed = platform.secrets.open(job.service.source_credential, context=credential_context(job.service))
        credential = Credential(**orjson.loads(sealed))
    else:
        credential = await find_connected(
            platform,
            project_id=deployment.project_id,
            source_type=deployment.source_type,
            config=deployment.source_config,
        )
    if credential is not None:
        attempt.log.masker.add([credential.password, credential.ssh_key])
    return credential


async def connection_credential(platform: Platform, connection: Connection, repository: str) -> Credential:
    """What git fetches `owner/name` with; of an App a token for that repository alone, an hour long."""
    line = await open_line(platform, connection, repository=repository, rights=TO_FETCH)
    return Credential(username=line.api.fetch_user(line.key), password=line.key.secret)


async def find_connected(
    platform: Platform, *, project_id: str, source_type: str, config: Mapping[str, Any]
) -> Credential | None:
    """What the project's connection for a source's repository fetches with; None when there is none."""
    repository = repository_of(config)
    # A token is for https alone: over ssh git would not use it, and in clear it would be given away.
    if not repository or (config.get("url") and urlsplit(str(config["url"])).scheme != "https"):
        return None
    kind = "" if source_type == "git" else source_type
    async with platform.database.transaction() as work:
        connection = await find_connection(work.session, project_id=project_id, repository=repository, kind=kind)
    if connection is None:
        return None
    return await connection_credential(platform, connection, repository.partition("/")[2])


def _is_of_service(deployment: Deployment, service: Service) -> bool:
    """Whether a deployment fetches from where the service's credential is for, and not from where it was before."""
    was, now = (
        (one.source_type, *(one.source_config.get(key) for key in ("url", "host", "repository")))
        for one in (deployment, service)
    )
    return was == now
