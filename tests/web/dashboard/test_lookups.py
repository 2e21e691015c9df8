"""Templates look into dicts by key, and call their methods whatever their keys are."""

import pytest
from jinja2 import StrictUndefined, UndefinedError

from towline.web.dashboard.lookups import DictFirst

_ENVIRONMENT = DictFirst(undefined=StrictUndefined)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ it.name }}", "web"),
        ("{{ it['items'] }}", "own"),
        ("{{ it.items() | length }}", "3"),
        ("{{ it.get('name') }}", "web"),
        ("{{ it.inner.name }}", "db"),
        ("{{ it.inner.absent is defined }}", "False"),
        ("{{ word.upper() }}", "X"),
    ],
)
def test_a_value_is_found(template: str, text: str) -> None:
    it = {"name": "web", "items": "own", "inner": {"name": "db"}}
    assert _ENVIRONMENT.from_string(template).render(it=it, word="x") == text


def test_what_is_not_there_is_undefined() -> None:
    with pytest.raises(UndefinedError, match="has no attribute 'absent'"):
        _ENVIRONMENT.from_string("{{ it.absent }}").render(it={})
