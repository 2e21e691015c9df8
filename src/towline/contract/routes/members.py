"""Operations of members, invitations, users and password resets."""

from typing import Final

from towline.contract.operations import Operation

MEMBER_OPERATIONS: Final[tuple[Operation, ...]] = ()
