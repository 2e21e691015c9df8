"""What a connection reaches: repositories and branches, page by page as the platform gives them."""

from collections.abc import Sequence

from towline.actions.connections.calling import TO_FETCH, TO_LIST, open_line
from towline.actions.platform import Platform
from towline.models.connections import Connection
from towline.sources.hosting import RemoteRepository


async def list_repositories(
    platform: Platform, connection: Connection, *, page: int
) -> tuple[Sequence[RemoteRepository], bool]:
    """One page of repositories, from 1, and whether there may be another."""
    line = await open_line(platform, connection, rights=TO_LIST)
    is_app = bool(connection.app_id)
    content = await line.send(line.api.repositories_request(owner=connection.owner, page=page, is_app=is_app))
    found = line.api.read_repositories(content)
    return found, len(found) >= line.api.page_size


async def list_branches(
    platform: Platform, connection: Connection, *, repository: str, page: int
) -> tuple[Sequence[str], bool]:
    """One page of a repository's branches, from 1, and whether there may be another."""
    line = await open_line(platform, connection, repository=repository, rights=TO_FETCH)
    found = line.api.read_branches(await line.send(line.api.branches_request(repository, page)))
    return found, len(found) >= line.api.page_size
