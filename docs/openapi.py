"""Writes docs/reference/openapi.json from the code: `python docs/openapi.py`."""

import json
from pathlib import Path

from towline.web.openapi import build_openapi

TARGET = Path(__file__).parent / "reference" / "openapi.json"


def render() -> str:
    """The document as it is checked in."""
    return json.dumps(build_openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render())
