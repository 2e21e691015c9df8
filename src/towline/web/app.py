"""The HTTP application: every router, one shape of errors, and the headers of every answer."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from towline import __version__
from towline.actions.live.hub import LiveHub
from towline.actions.platform import Platform
from towline.actions.sleeping.arriving import Arrivals
from towline.contract.base import API_PREFIX
from towline.web import (
    account,
    arrivals,
    audit,
    backups,
    catalogue,
    connections,
    dependencies,
    deployments,
    device,
    domains,
    environments,
    factor_sign_in,
    gates,
    git,
    groups,
    hooks,
    identities,
    invitations,
    keys,
    live,
    logs,
    member_pages,
    members,
    metric_history,
    metrics,
    notifications,
    pages,
    passkeys,
    password_reset,
    platform,
    previews,
    project_files,
    projects,
    providers,
    registries,
    releases,
    runs,
    sealing,
    second_factors,
    services,
    sessions,
    setup,
    sign_in,
    status,
    uploads,
    users,
    variable_views,
    variables,
    waking,
    webhook_secrets,
)
from towline.web.auth import UseNotes
from towline.web.dashboard.router import router as dashboard_router
from towline.web.former_hosts import FormerAddresses
from towline.web.metrics import CountRequests, RequestCounts
from towline.web.problems import add_problem_answers
from towline.web.refusals import RefusalLimit
from towline.web.renewal import add_renewed

ROUTERS: Final[tuple[APIRouter, ...]] = (
    projects.router,
    members.router,
    invitations.router,
    users.router,
    password_reset.router,
    member_pages.router,
    providers.router,
    identities.router,
    arrivals.router,
    device.router,
    second_factors.router,
    passkeys.router,
    factor_sign_in.router,
    environments.router,
    variable_views.router,
    project_files.router,
    backups.router,
    catalogue.router,
    connections.router,
    hooks.operations,
    hooks.router,
    notifications.router,
    git.router,
    previews.router,
    variables.router,
    services.router,
    domains.router,
    account.router,
    sign_in.router,
    sessions.router,
    keys.router,
    registries.router,
    audit.router,
    webhook_secrets.router,
    sealing.router,
    deployments.router,
    groups.router,
    dependencies.router,
    status.router,
    metric_history.router,
    releases.router,
    runs.router,
    logs.router,
    uploads.router,
    platform.router,
    live.router,
    metrics.router,
    pages.router,
    gates.router,
    waking.router,
    setup.router,
    dashboard_router,
)
"""Every router, in the order of the documentation; the busiest first."""


def create_app(platform: Platform) -> FastAPI:
    """The application of one platform. Who makes it keeps the platform open as long as it serves."""
    app = FastAPI(
        title="Towline", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, lifespan=_lifespan
    )
    app.state.platform = platform
    app.state.use_notes = UseNotes(platform)
    app.state.refusal_limit = RefusalLimit()
    app.state.live = LiveHub(platform)
    app.state.waker = waking.Waker(Arrivals(platform))
    app.state.request_counts = RequestCounts()
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    add_problem_answers(app)
    app.add_middleware(FormerAddresses, platform=platform)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CountRequests, counts=app.state.request_counts, routes=app.routes)
    return app


class SecurityHeaders:
    """Says of every answer that its type is what it says, and of the API's that nobody may keep it.

    What brings a session's new value gets its cookie here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        # What an app that was just woken answers is the app's own matter.
        if scope["type"] != "http" or scope["path"].startswith(waking.PREFIX):
            await self._app(scope, receive, send)
            return
        is_api = scope["path"].startswith(API_PREFIX)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("x-content-type-options", "nosniff")
                if is_api:
                    headers.setdefault("cache-control", "no-store")
                add_renewed(scope, headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    platform: Platform = app.state.platform
    async with platform.orchestrator.session(), platform.router.session():
        yield
        await app.state.live.close()
        await app.state.waker.close()
        await app.state.use_notes.close()
