"""HTTP: the keys that seal secrets at rest, and their rotation."""

from dataclasses import asdict

from towline.actions.resealing import get_sealing, rotate_key
from towline.contract.sealing import Sealing, SealingKey
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("secrets.getStatus")
async def get_status(call: Call) -> Sealing:
    """How secrets are sealed, and how far a rotation is."""
    return await _shown(call)


@router.operation("secrets.rotate")
async def rotate(call: Call) -> Sealing:
    """Begin a rotation; one that is going on is not begun anew."""
    key_id = await rotate_key(call.platform)
    call.note(key_id, is_new=bool(key_id))
    return await _shown(call)


async def _shown(call: Call) -> Sealing:
    sealing = await get_sealing(call.platform, call.session)
    keys = [SealingKey(id=fields.pop("key_id"), **fields) for fields in (asdict(key) for key in sealing.keys)]
    is_rotating = sum(key.is_in_file for key in keys) > 1
    return Sealing(keys=keys, values=sealing.values, remaining=sealing.remaining, is_rotating=is_rotating)
