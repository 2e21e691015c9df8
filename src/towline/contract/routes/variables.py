"""Operations of variables with origin and history."""

from typing import Final

from towline.contract.operations import Operation

VARIABLE_OPERATIONS: Final[tuple[Operation, ...]] = ()
