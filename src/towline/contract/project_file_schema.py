"""The JSON Schema of the project file, for editors and checks; short forms included."""

from typing import Any, Final

from towline.contract.project_file import ProjectFile

SCHEMA_ID: Final = "https://towline.dev/schema/project-file-1.json"
_VARIABLE_MAPS: Final = (
    ("ProjectFile", "variables"),
    ("ProjectFile", "preview_variables"),
    ("FileService", "variables"),
)
_LISTS: Final = (("FileService", "needs"), ("FileService", "domains"))


def project_file_schema() -> dict[str, Any]:
    """The schema, always the same for the same code."""
    schema = ProjectFile.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema["$defs"]
    parts = {**definitions, "ProjectFile": schema}
    for model, field in _VARIABLE_MAPS:
        _allow(parts[model]["properties"][field], "additionalProperties", ["string", "number", "boolean"])
    for model, field in _LISTS:
        _allow(parts[model]["properties"][field], "items", ["string"])
    service = definitions["FileService"]["properties"]
    service["health"] = {
        "anyOf": [{"type": "string"}, service["health"]],
        "description": service["health"]["description"],
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def _allow(property_: dict[str, Any], key: str, types: list[str]) -> None:
    """Let plain values stand beside what is under `key`; patternProperties are how pydantic writes keyed maps."""
    if key in property_:
        property_[key] = {"anyOf": [{"type": types}, property_[key]]}
        return
    patterns: dict[str, Any] = property_["patternProperties"]
    property_["patternProperties"] = {
        pattern: {"anyOf": [{"type": types}, wanted]} for pattern, wanted in patterns.items()
    }
    property_["additionalProperties"] = False
