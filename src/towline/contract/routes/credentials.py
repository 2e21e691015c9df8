"""Operations of webhook secrets, the audit log beyond its list, and the keys that seal secrets."""

from typing import Final

from towline.contract.audit import AuditFilter, AuditHead, AuditVerdict, AuditVerifyQuery
from towline.contract.base import PageQuery
from towline.contract.logs import NDJSON_MEDIA_TYPE
from towline.contract.operations import Operation, create, delete, read
from towline.contract.sealing import Sealing
from towline.contract.webhook_secrets import NewWebhookSecret, WebhookSecretList, WebhookSecretRotate

_WEBHOOK_SECRETS: Final = "/projects/{project}/services/{service}/webhook-secrets"

CREDENTIAL_OPERATIONS: Final[tuple[Operation, ...]] = (
    read(
        "webhookSecrets.list",
        _WEBHOOK_SECRETS,
        needs="manage_services",
        gives=WebhookSecretList,
        query=PageQuery,
        summary="List the valid webhook secrets of a service",
    ),
    create(
        "webhookSecrets.rotate",
        _WEBHOOK_SECRETS,
        needs="manage_services",
        takes=WebhookSecretRotate,
        gives=NewWebhookSecret,
        summary="Make a new webhook secret; its value is shown once",
    ),
    delete(
        "webhookSecrets.delete",
        f"{_WEBHOOK_SECRETS}/{{secret}}",
        needs="manage_services",
        summary="End a webhook secret now",
    ),
    Operation(
        "audit.export",
        "GET",
        "/audit/export",
        "Download entries of the audit log, oldest first",
        "manage_collaborators",
        query=AuditFilter,
        media_type=NDJSON_MEDIA_TYPE,
    ),
    read("audit.head", "/audit/head", needs="administer", gives=AuditHead, summary="Show the end of the audit log"),
    read(
        "audit.verify",
        "/audit/verify",
        needs="administer",
        gives=AuditVerdict,
        query=AuditVerifyQuery,
        summary="Check that nobody changed the audit log",
    ),
    read("secrets.getStatus", "/secrets", needs="administer", gives=Sealing, summary="Show how secrets are sealed"),
    Operation(
        "secrets.rotate",
        "POST",
        "/secrets/rotate",
        "Seal all secrets with a new key, while everything runs",
        "administer",
        response=Sealing,
        status=202,
    ),
)
