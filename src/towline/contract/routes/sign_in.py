"""Operations of signing in, the account, its sessions and second factors."""

from typing import Final

from towline.contract.operations import Operation

SIGN_IN_OPERATIONS: Final[tuple[Operation, ...]] = ()
