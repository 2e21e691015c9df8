"""HTTP: webhook secrets of services."""

from datetime import datetime, timedelta

from towline.actions.access import Permission
from towline.actions.installation import platform_url
from towline.actions.webhook_secrets import delete_secret, list_secrets, rotate_secret
from towline.contract.base import PageQuery
from towline.contract.webhook_secrets import (
    NewWebhookSecret,
    WebhookSecret,
    WebhookSecretList,
    WebhookSecretRotate,
)
from towline.models.webhook_secrets import WebhookSecret as SecretRow
from towline.web.cursors import decode_cursor, decode_time, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("webhookSecrets.list")
async def list_(call: Call, query: PageQuery) -> WebhookSecretList:
    """The valid secrets of a service, newest first, without their values."""
    key = decode_cursor(query.cursor, str, str)
    after = (decode_time(key[0]), str(key[1])) if key is not None else None
    found = await list_secrets(call.session, call.service.id, limit=query.limit + 1, after=after)
    page = page_of(list(found), limit=query.limit, key=_key)
    return WebhookSecretList(items=[_shown(call, row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("webhookSecrets.rotate")
async def rotate(call: Call, body: WebhookSecretRotate) -> NewWebhookSecret:
    """A new secret; its value is shown this once. Whoever holds it deploys, which needs that permission as well."""
    await call.get_project(call.project.id, permission=Permission.DEPLOY)
    overlap = timedelta(seconds=body.overlap_seconds)
    made = await rotate_secret(call.platform, call.work, call.service.id, overlap=overlap)
    call.note(call.service.id, secret_id=made.secret.id, overlap_seconds=body.overlap_seconds)
    return NewWebhookSecret(**_shown(call, made.secret).model_dump(), value=made.value)


@router.operation("webhookSecrets.delete")
async def delete(call: Call) -> None:
    """End a secret now."""
    await delete_secret(call.work, call.service.id, secret_id=call.path["secret"])
    call.note(call.service.id, secret_id=call.path["secret"])


def _shown(call: Call, row: SecretRow) -> WebhookSecret:
    url = f"{platform_url(call.platform)}/hooks/service/{row.service_id}"
    return WebhookSecret(id=row.id, url=url, created_at=row.created_at, expires_at=row.expires_at)


def _key(row: SecretRow) -> tuple[datetime, str]:
    return (row.created_at, row.id)
