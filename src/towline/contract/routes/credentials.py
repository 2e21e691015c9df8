"""Operations of API keys, webhook secrets and the audit log beyond the first ones."""

from typing import Final

from towline.contract.operations import Operation

CREDENTIAL_OPERATIONS: Final[tuple[Operation, ...]] = ()
