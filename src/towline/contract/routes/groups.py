"""Operations of dependencies and group deployments."""

from typing import Final

from towline.contract.operations import Operation

GROUP_OPERATIONS: Final[tuple[Operation, ...]] = ()
