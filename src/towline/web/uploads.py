"""HTTP: uploads, received straight into storage and resumable."""

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from towline.actions.uploads import UploadState, announce, append, get_state
from towline.contract.base import MAX_BYTES
from towline.contract.operations import JSON_MEDIA_TYPE
from towline.contract.uploads import UPLOAD_MEDIA_TYPE, UPLOAD_OFFSET_HEADER, Upload, UploadCreate
from towline.errors import InvalidInput, WrongOffset
from towline.web.deps import Call
from towline.web.operations import OperationRouter
from towline.web.problems import problem_response

router = OperationRouter()
_MOST_DIGITS = len(str(MAX_BYTES))


@router.operation("uploads.create")
async def create(call: Call, body: UploadCreate) -> Upload:
    """Announce an archive, or ask how far it is."""
    state = await announce(call.platform, call.work, project_id=call.project.id, digest=body.digest, size=body.size)
    call.note(body.digest, size=body.size)
    return _upload(state)


@router.operation("uploads.get")
async def get(call: Call) -> Upload:
    """How far an upload is."""
    return _upload(await get_state(call.platform, call.work, project_id=call.project.id, digest=call.path["digest"]))


@router.operation("uploads.append", holds_transaction=False)
async def send(call: Call) -> Response:
    """Bytes from `Upload-Offset` on; what came before a lost connection is kept."""
    request, digest = call.request, call.path["digest"]
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != UPLOAD_MEDIA_TYPE:
        raise InvalidInput(f"The bytes of an upload are sent as {UPLOAD_MEDIA_TYPE}.", field="content-type")
    offset = _offset(request.headers.get(UPLOAD_OFFSET_HEADER, ""))
    try:
        state = await append(
            call.platform, project_id=call.project.id, digest=digest, offset=offset, chunks=request.stream()
        )
    except WrongOffset as error:
        return problem_response(error, headers={UPLOAD_OFFSET_HEADER: str(error.offset)})
    except ClientDisconnect:
        return Response(status_code=400)
    headers = {UPLOAD_OFFSET_HEADER: str(state.offset)}
    return Response(_upload(state).model_dump_json(), media_type=JSON_MEDIA_TYPE, headers=headers)


def _upload(state: UploadState) -> Upload:
    return Upload(digest=state.digest, size=state.size, offset=state.offset, is_complete=state.is_complete)


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise InvalidInput(f"The header {UPLOAD_OFFSET_HEADER} must be a number of bytes.", field=UPLOAD_OFFSET_HEADER)
    return int(text)
