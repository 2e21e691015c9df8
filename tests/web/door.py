"""Calling the application in this process, as any of the people a test needs."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2
from fastapi import FastAPI

from towline.actions.keys import add_key
from towline.actions.platform import Platform
from towline.contract.base import API_PREFIX
from towline.models.accounts import ApiKey, User
from towline.models.base import utc_now
from towline.models.projects import ProjectCollaborator
from towline.names import new_id
from towline.web.app import create_app


@dataclass
class Person:
    """Someone with an API key, who calls the API; `token` empty sends none."""

    http: httpx2.AsyncClient
    user_id: str = ""
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request to a path of the API."""
        headers = {**self.headers, **options.pop("headers", {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return await self.http.request(method, API_PREFIX + path, headers=headers, **options)

    async def get(self, path: str, **query: Any) -> Any:
        """GET, insisting on success; the JSON."""
        answer = await self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """POST JSON, insisting on success; the JSON."""
        answer = await self.call("POST", path, json=dict(body or {}), **options)
        assert answer.status_code in {200, 201, 202}, answer.text
        return answer.json()

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """PATCH JSON, insisting on success; the JSON."""
        answer = await self.call("PATCH", path, json=dict(body))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def delete(self, path: str, **query: Any) -> None:
        """DELETE, insisting on success."""
        answer = await self.call("DELETE", path, params=query)
        assert answer.status_code == 204, answer.text
        assert answer.content == b""


@dataclass
class Door:
    """The application, and how to make people who come through it."""

    platform: Platform
    app: FastAPI
    http: httpx2.AsyncClient

    async def add_person(self, *, is_administrator: bool = False, **key: Any) -> Person:
        """A new user with a key."""
        user_id = new_id("usr")
        user = User(id=user_id, email=f"{user_id}@example.com", name="Ann", is_administrator=is_administrator)
        async with self.platform.database.transaction() as work:
            work.session.add(user)
        return await self.add_key(user_id, **key)

    async def add_key(
        self, user_id: str, *, expires_at: datetime | None = None, is_revoked: bool = False, **key: Any
    ) -> Person:
        """The same user with another key."""
        async with self.platform.database.transaction() as work:
            made = await add_key(work, user_id, name="test", expires_at=expires_at, **key)
            if is_revoked:
                made.key.revoked_at = utc_now()
        return Person(self.http, user_id, made.value)

    async def make_key(self, user_id: str, **key: Any) -> ApiKey:
        """Another key of a user, as its row."""
        async with self.platform.database.transaction() as work:
            return (await add_key(work, user_id, name="test", **key)).key

    async def add_member(self, project_id: str, role: str, **key: Any) -> Person:
        """A new user with a role in a project."""
        person = await self.add_person(**key)
        async with self.platform.database.transaction() as work:
            work.session.add(ProjectCollaborator(project_id=project_id, user_id=person.user_id, role=role))
        return person

    def nobody(self) -> Person:
        """Someone without a key."""
        return Person(self.http)


@asynccontextmanager
async def open_door(platform: Platform) -> AsyncGenerator[Door]:
    """The application of a platform with its lifespan, called without a network."""
    app = create_app(platform)
    transport = httpx2.ASGITransport(app=app, client=("203.0.113.9", 4711), raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://towline.test") as http,
    ):
        yield Door(platform, app, http)
