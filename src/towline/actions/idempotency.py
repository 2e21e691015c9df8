"""Answers kept for repeated requests: the first one claims the key, a later one gets the same answer, for a day."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from towline.actions.platform import Platform
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.history import IdempotentAnswer

ANSWERS_KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: status and body; and the permission it took, in which project (empty: none, or in all)."""

    status: int
    body: bytes
    permission: str = ""
    project_id: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A key of one caller and the request it belongs to."""

    caller_id: str
    key: str
    request_hash: str

    @property
    def context(self) -> str:
        """What the sealed answer is bound to: it may hold a secret that is shown once."""
        return f"answer:{self.caller_id}:{self.key}"


async def claim_key(platform: Platform, work: Work, claim: Claim) -> Answer | None:
    """None when the request is the first with its key and now has to be done; the kept answer when it is a repetition.

    Waits for a request with the same key that is being worked on. Conflict when the key was used for another request.
    """
    values = {
        "caller_id": claim.caller_id,
        "key": claim.key,
        "request_hash": "",
        "permission": "",
        "project_id": "",
        "status": None,
        "body": b"",
        "created_at": utc_now(),
    }
    statement = insert(IdempotentAnswer).values(values)
    is_old = IdempotentAnswer.created_at < utc_now() - ANSWERS_KEPT
    statement = statement.on_conflict_do_update(index_elements=["caller_id", "key"], set_=values, where=is_old)
    if await work.session.scalar(statement.returning(IdempotentAnswer.key)) is not None:
        return None
    query = select(IdempotentAnswer).where(
        IdempotentAnswer.caller_id == claim.caller_id, IdempotentAnswer.key == claim.key
    )
    kept = (await work.session.scalars(query)).one_or_none()
    if kept is None or kept.status is None:
        raise _used()
    content, start = platform.secrets.open(kept.body, context=claim.context), claim.request_hash.encode()
    if not content.startswith(start):
        raise _used()
    return Answer(kept.status, content.removeprefix(start), kept.permission, kept.project_id)


async def keep_answer(platform: Platform, work: Work, claim: Claim, answer: Answer) -> None:
    """Keep the answer in the transaction that did the work, behind the hash of its request, sealed together.

    Requests may hold passwords: who reads the database must not be able to try which ones give a hash.
    """
    sealed = platform.secrets.seal(claim.request_hash.encode() + answer.body, context=claim.context)
    await work.session.execute(
        update(IdempotentAnswer)
        .where(IdempotentAnswer.caller_id == claim.caller_id, IdempotentAnswer.key == claim.key)
        .values(status=answer.status, body=sealed, permission=answer.permission, project_id=answer.project_id)
        .execution_options(synchronize_session=False)
    )


def _used() -> Conflict:
    return Conflict(
        "This Idempotency-Key was already used for another request.", hint="Use a new key for each new request."
    )
