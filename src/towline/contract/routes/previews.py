"""Operations of previews."""

from typing import Final

from towline.contract.operations import Operation, create, delete, read, update
from towline.contract.previews import (
    Preview,
    PreviewApprove,
    PreviewCreate,
    PreviewList,
    PreviewQuery,
    PreviewRules,
    PreviewUpdate,
)

_PREVIEWS: Final = "/projects/{project}/previews"
_PREVIEW: Final = f"{_PREVIEWS}/{{preview}}"
_RULES: Final = "/projects/{project}/preview-rules"

PREVIEW_OPERATIONS: Final = (
    read(
        "previews.list",
        _PREVIEWS,
        needs="view_projects",
        gives=PreviewList,
        query=PreviewQuery,
        summary="List previews of a project",
    ),
    create(
        "previews.create",
        _PREVIEWS,
        needs="create_previews",
        takes=PreviewCreate,
        gives=Preview,
        summary="Create a preview and deploy it",
    ),
    read("previews.get", _PREVIEW, needs="view_projects", gives=Preview, summary="Show a preview"),
    update(
        "previews.update",
        _PREVIEW,
        needs="create_previews",
        takes=PreviewUpdate,
        gives=Preview,
        summary="Change a preview, or deploy it again",
    ),
    delete(
        "previews.delete", _PREVIEW, needs="create_previews", summary="Remove a preview with all that belongs to it"
    ),
    Operation(
        "previews.extend",
        "POST",
        f"{_PREVIEW}/extend",
        "Let a preview's lifetime begin anew",
        "create_previews",
        response=Preview,
    ),
    Operation(
        "previews.approve",
        "POST",
        f"{_PREVIEW}/approve",
        "Let a commit of a fork run",
        "create_previews",
        request=PreviewApprove,
        response=Preview,
        status=202,
    ),
    Operation(
        "previews.wake",
        "POST",
        f"{_PREVIEW}/wake",
        "Wake a preview that sleeps",
        "create_previews",
        response=Preview,
        status=202,
    ),
    read("previews.getRules", _RULES, needs="view_projects", gives=PreviewRules, summary="Show the rules for previews"),
    Operation(
        "previews.updateRules",
        "PUT",
        _RULES,
        "Set the rules for previews",
        "manage_services",
        request=PreviewRules,
        response=PreviewRules,
    ),
)
