"""The `Idempotency-Key` header: which request a key belongs to, and its answer kept with the work it did."""

import hashlib
import re
from typing import Final

from starlette.responses import Response

from towline.actions.idempotency import Answer, Claim, claim_key, keep_answer
from towline.contract.operations import IDEMPOTENCY_HEADER, IDEMPOTENCY_KEY_PATTERN, JSON_MEDIA_TYPE
from towline.errors import InvalidInput
from towline.web.access import admit_again
from towline.web.deps import Call

REPLAYED_HEADER: Final = "Idempotent-Replayed"


def find_claim(call: Call, body: bytes) -> Claim | None:
    """The claim that a write with an Idempotency-Key makes; None without one, or when nobody in particular calls."""
    key = call.request.headers.get(IDEMPOTENCY_HEADER)
    if key is None or not call.operation.is_write or not call.caller.user_id:
        return None
    if not re.fullmatch(IDEMPOTENCY_KEY_PATTERN, key):
        raise InvalidInput("The Idempotency-Key is not 1 to 128 printable characters.", field=IDEMPOTENCY_HEADER)
    url = call.request.url
    request_hash = hashlib.sha256(f"{call.request.method}\n{url.path}\n{url.query}\n".encode() + body)
    return Claim(call.caller.key_id or call.caller.user_id, key, request_hash.hexdigest())


async def find_replay(call: Call, claim: Claim) -> Response | None:
    """The answer given before to this request; None when it is the first with its key.

    NotFound or Forbidden when the caller has lost meanwhile what the first one needed.
    """
    answer = await claim_key(call.platform, call.work, claim)
    if answer is None:
        return None
    await admit_again(call, permission=answer.permission, project_id=answer.project_id)
    media_type = JSON_MEDIA_TYPE if answer.body else None
    return Response(answer.body, answer.status, headers={REPLAYED_HEADER: "true"}, media_type=media_type)


async def keep(call: Call, claim: Claim, response: Response) -> None:
    """Keep the answer in the transaction of the request."""
    answer = Answer(response.status_code, bytes(response.body), *call.granted)
    await keep_answer(call.platform, call.work, claim, answer)
