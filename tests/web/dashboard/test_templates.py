"""Templates of pages, read as text."""

import re
from pathlib import Path
from typing import Final

import towline.web.dashboard

_TEMPLATES: Final = Path(towline.web.dashboard.__file__).parent / "templates"
_OF_FORMS: Final = {"action", "elements", "enctype", "length", "method", "reset", "submit", "target"}
"""What scripts ask a form for; a control of that name would be the answer."""


def test_no_control_hides_what_its_form_says_itself() -> None:
    named = {
        f"{file.name}: {name}"
        for file in _TEMPLATES.glob("*.html")
        for name in re.findall(r'<(?:button|input|select|textarea)\b[^>]*? name="(\w+)"', file.read_text())
        if name in _OF_FORMS
    }
    assert named == set()
