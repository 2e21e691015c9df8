"""Operations of the project file."""

from typing import Final

from towline.contract.operations import Operation, read
from towline.contract.project_file import Applied, ApplyRequest, ExportedFile, Plan, PlanRequest

PROJECT_FILE_OPERATIONS: Final = (
    Operation(
        "projectFiles.plan",
        "POST",
        "/project-files/plan",
        "Show what applying a project file would change; changes nothing",
        "manage_services",
        request=PlanRequest,
        response=Plan,
    ),
    Operation(
        "projectFiles.apply",
        "POST",
        "/project-files/apply",
        "Carry out exactly the plan that was shown, or refuse when the project has changed since",
        "manage_services",
        request=ApplyRequest,
        response=Applied,
        status=202,
    ),
    read(
        "projectFiles.export",
        "/projects/{project}/file",
        needs="manage_services",
        gives=ExportedFile,
        summary="Write a project file from what exists",
    ),
)
