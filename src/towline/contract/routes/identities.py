"""Operations of sign-in by other providers and by device code."""

from typing import Final

from towline.contract.operations import Operation

IDENTITY_OPERATIONS: Final[tuple[Operation, ...]] = ()
