"""Every sealed column of the database, and what its values are bound to: the one table that re-sealing goes by."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, LargeBinary, Table, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from towline.actions.backups.freezing import backup_context
from towline.actions.connections.administration import connection_context
from towline.actions.deployments.credentials import credential_context
from towline.actions.deployments.make import build_secrets_context
from towline.actions.first_look import KEY_CHECK_CONTEXT
from towline.actions.hooks.administration import hook_secret_context
from towline.actions.idempotency import Claim
from towline.actions.identities.administration import client_secret_context
from towline.actions.mail import mail_context
from towline.actions.notifications.channels import address_context, secret_context
from towline.actions.protection.passes import share_secret_context
from towline.actions.registries import registry_context
from towline.actions.second_factors.totp import totp_context
from towline.actions.variables import variable_context
from towline.infra.key_file import KEY_ID_LENGTH
from towline.infra.secrets import SecretBox
from towline.models.backups import Backup
from towline.models.base import Row
from towline.models.connections import Connection
from towline.models.deployments import Registry, Release
from towline.models.history import AuditMark, IdempotentAnswer
from towline.models.hooks import Hook
from towline.models.identities import IdentityProvider
from towline.models.key_checks import KeyCheck
from towline.models.members import Mail
from towline.models.notifications import NotificationChannel
from towline.models.projects import Environment
from towline.models.second_factors import TotpSecret
from towline.models.services import Service, Variable
from towline.models.variable_changes import VariableChange
from towline.models.webhook_secrets import WebhookSecret

_PREFIX_LENGTH: Final = KEY_ID_LENGTH + 1


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed values (none or empty where there is nothing to seal), and the context of a row's value."""

    attribute: InstrumentedAttribute[Any]
    context: Callable[[Any], str]

    @property
    def model(self) -> type[Row]:
        """The class of its rows."""
        return self.attribute.class_

    @property
    def table(self) -> Table[Any]:
        """Its table."""
        return cast("Table[Any]", self.model.__table__)

    @property
    def name(self) -> str:
        """Table and column."""
        return f"{self.table.name}.{self.attribute.key}"

    def starts_with(self, prefixes: Sequence[bytes]) -> ColumnElement[bool]:
        """The condition that a value begins with one of some prefixes, which have one of two lengths."""
        lengths = {len(prefix) for prefix in prefixes}
        groups = [(length, [prefix for prefix in prefixes if len(prefix) == length]) for length in sorted(lengths)]
        return or_(*(self.start(length).in_(group) for length, group in groups))

    def start(self, length: int) -> ColumnElement[bytes]:
        """The first bytes of a value."""
        return func.substring(self.attribute, 1, length, type_=LargeBinary())


def audit_mark_context(mark: AuditMark) -> str:
    """What the sealed hash of a mark of the audit log is bound to."""
    return f"audit-mark:{mark.kind}:{mark.sequence}"


def webhook_secret_context(secret: WebhookSecret) -> str:
    """What a sealed webhook secret is bound to."""
    return f"webhook-secret:{secret.id}"


def _key_check_context(_: KeyCheck) -> str:
    return KEY_CHECK_CONTEXT


def _change_context(change: VariableChange) -> str:
    return f"variable:{change.variable_id}"


def _release_context(release: Release) -> str:
    return f"release:{release.id}"


def _answer_context(answer: IdempotentAnswer) -> str:
    return Claim(answer.caller_id, answer.key, answer.request_hash).context


SEALED: Final = (
    SealedColumn(KeyCheck.value, _key_check_context),
    SealedColumn(Variable.value, variable_context),
    SealedColumn(VariableChange.value_before, _change_context),
    SealedColumn(VariableChange.value_after, _change_context),
    SealedColumn(Release.variables, _release_context),
    SealedColumn(Backup.variables, backup_context),
    SealedColumn(Service.source_credential, credential_context),
    SealedColumn(Service.build_secrets, build_secrets_context),
    SealedColumn(Registry.password, registry_context),
    SealedColumn(Connection.secret, connection_context),
    SealedColumn(IdentityProvider.client_secret, client_secret_context),
    SealedColumn(TotpSecret.secret, totp_context),
    SealedColumn(Mail.text, mail_context),
    SealedColumn(WebhookSecret.value, webhook_secret_context),
    SealedColumn(Environment.share_secret, share_secret_context),
    SealedColumn(Hook.secret, hook_secret_context),
    SealedColumn(Hook.old_secret, hook_secret_context),
    SealedColumn(NotificationChannel.address, address_context),
    SealedColumn(NotificationChannel.secret, secret_context),
    SealedColumn(IdempotentAnswer.body, _answer_context),
    SealedColumn(AuditMark.hash, audit_mark_context),
)
"""Every sealed column; a test finds columns of bytes that are neither here nor in NOT_SEALED."""

NOT_SEALED: Final = frozenset({"audit_entries.hash", "passkeys.credential_id", "passkeys.public_key"})
"""Columns of bytes that hold no secret."""


async def count_by_key(session: AsyncSession, box: SecretBox, column: SealedColumn) -> Counter[str]:
    """How many values of a column each key sealed, by its id in hex; "" for those that are sealed as they would be now.

    Values of the key that seals now in an older form count under its id.
    """
    prefix = column.start(_PREFIX_LENGTH)
    query = select(prefix, func.count()).where(func.length(column.attribute) > 0).group_by(prefix)
    current, older, found = box.prefix(), box.older_prefixes(), Counter[str]()
    for start, count in await session.execute(query):
        found["" if start == current else _key_id(start, older)] += count
    return found


def _key_id(start: bytes, older: dict[bytes, str]) -> str:
    """The key that a value names at its start; of an unknown key what would be its id."""
    return older.get(start) or older.get(start[:KEY_ID_LENGTH]) or start[1:].hex()
