"""Writes the machine-readable references from the code, openapi.json and the schema of the project file."""

import json
from pathlib import Path

from towline.contract.project_file_schema import project_file_schema
from towline.web.openapi import build_openapi

TARGET = Path(__file__).parent / "reference" / "openapi.json"
SCHEMA = TARGET.with_name("project-file.schema.json")


def render() -> str:
    """The document as it is checked in."""
    return json.dumps(build_openapi(), indent=1, ensure_ascii=False) + "\n"


def render_schema() -> str:
    """The schema of the project file as it is checked in."""
    return json.dumps(project_file_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render())
    SCHEMA.write_text(render_schema())
