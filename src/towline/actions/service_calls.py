"""The webhook of a single service: whoever holds one of its secrets deploys it, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from towline.actions.deploying import Wanted, deploy, get_place
from towline.actions.environments import PRODUCTION
from towline.actions.hooks.rules import BRANCHES, TAGS
from towline.actions.hooks.working import PUSHER
from towline.actions.platform import Platform
from towline.actions.webhook_secrets import list_valid_secrets
from towline.errors import NotFound, Unauthenticated
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.projects import Project
from towline.models.services import Service
from towline.models.webhook_secrets import ServiceCall
from towline.sources.base import WebhookEvent
from towline.values import Trigger


@dataclass(frozen=True, slots=True)
class Called:
    """The deployment that a call asked for (empty: it asked for none); `is_new` is false for one that came before."""

    deployment_id: str
    is_new: bool


async def call_service(platform: Platform, service_id: str, *, headers: Mapping[str, str], body: bytes) -> Called:
    """Deploy a service to production as a signed call asks; the same call twice deploys once.

    NotFound for an unknown service, Unauthenticated for a wrong signature, InvalidInput for what cannot be deployed.
    """
    async with platform.database.transaction() as work:
        service, project = await _get_service(work, service_id)
        event = await _verify(platform, work, service, headers, body)
        if event.kind not in {"push", "tag"}:
            return Called("", is_new=True)
        call = {"service_id": service.id, "delivery_key": event.delivery_id, "created_at": utc_now()}
        kept = insert(ServiceCall).values(call).on_conflict_do_nothing().returning(ServiceCall.delivery_key)
        if await work.session.scalar(kept) is None:
            return Called(await _get_earlier(work, service, event), is_new=False)
        place = await get_place(work, project=project, service=service, environment=PRODUCTION)
        wanted = Wanted(ref=event.revision or event.ref.removeprefix(BRANCHES).removeprefix(TAGS))
        made = await deploy(platform, work, place, wanted=wanted, caller=PUSHER, trigger=Trigger.PUSH)
        row = await work.session.get_one(ServiceCall, (service.id, event.delivery_id))
        row.deployment_id = made.id
        return Called(made.id, is_new=True)


async def _get_service(work: Work, service_id: str) -> tuple[Service, Project]:
    query = (
        select(Service, Project)
        .join(Project, Project.id == Service.project_id)
        .where(Service.id == service_id, Service.deleted_at.is_(None), Project.deleted_at.is_(None))
    )
    row = (await work.session.execute(query)).first()
    if row is None:
        raise NotFound("There is no such webhook.", hint="Copy its address from `towline webhooks list`.")
    return row[0], row[1]


async def _verify(
    platform: Platform, work: Work, service: Service, headers: Mapping[str, str], body: bytes
) -> WebhookEvent:
    for secret in await list_valid_secrets(platform, work.session, service_id=service.id):
        event = platform.sources["git"].validate_webhook(headers, body, secret.decode())
        if event is not None:
            return event
    raise Unauthenticated(
        "The webhook's signature is missing or wrong.",
        hint="Sign with the service's secret and the present time, or make a new one: `towline webhooks rotate`.",
    )


async def _get_earlier(work: Work, service: Service, event: WebhookEvent) -> str:
    found = await work.session.get_one(ServiceCall, (service.id, event.delivery_id))
    return found.deployment_id
