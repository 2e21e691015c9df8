"""The table of all operations of the API: the one place that says what exists, at which path, for whom."""

from typing import Final

from towline.contract.routes.backups import BACKUP_OPERATIONS
from towline.contract.routes.connections import CONNECTION_OPERATIONS
from towline.contract.routes.credentials import CREDENTIAL_OPERATIONS
from towline.contract.routes.deployments import DEPLOYMENT_OPERATIONS
from towline.contract.routes.groups import GROUP_OPERATIONS
from towline.contract.routes.hooks import HOOK_OPERATIONS
from towline.contract.routes.identities import IDENTITY_OPERATIONS
from towline.contract.routes.instance import INSTANCE_OPERATIONS
from towline.contract.routes.members import MEMBER_OPERATIONS
from towline.contract.routes.notifications import NOTIFICATION_OPERATIONS
from towline.contract.routes.previews import PREVIEW_OPERATIONS
from towline.contract.routes.project_files import PROJECT_FILE_OPERATIONS
from towline.contract.routes.projects import PROJECT_OPERATIONS
from towline.contract.routes.runs import RUN_OPERATIONS
from towline.contract.routes.second_factors import SECOND_FACTOR_OPERATIONS
from towline.contract.routes.services import SERVICE_OPERATIONS
from towline.contract.routes.sign_in import SIGN_IN_OPERATIONS
from towline.contract.routes.templates import TEMPLATE_OPERATIONS
from towline.contract.routes.variables import VARIABLE_OPERATIONS

OPERATIONS: Final = (
    *PROJECT_OPERATIONS,
    *SERVICE_OPERATIONS,
    *RUN_OPERATIONS,
    *DEPLOYMENT_OPERATIONS,
    *GROUP_OPERATIONS,
    *VARIABLE_OPERATIONS,
    *PROJECT_FILE_OPERATIONS,
    *TEMPLATE_OPERATIONS,
    *BACKUP_OPERATIONS,
    *CONNECTION_OPERATIONS,
    *HOOK_OPERATIONS,
    *NOTIFICATION_OPERATIONS,
    *PREVIEW_OPERATIONS,
    *SIGN_IN_OPERATIONS,
    *SECOND_FACTOR_OPERATIONS,
    *IDENTITY_OPERATIONS,
    *MEMBER_OPERATIONS,
    *CREDENTIAL_OPERATIONS,
    *INSTANCE_OPERATIONS,
)
"""Every operation, in the order of the documentation."""
