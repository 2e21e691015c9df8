"""Refusals are told in words, not in regular expressions."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

import towline.contract
from towline.contract.domains import RouteCreate
from towline.contract.faults import PATTERNS, fault_text
from towline.contract.projects import ProjectCreate
from towline.contract.services import HealthProbe, ServiceScale


@pytest.mark.parametrize(
    ("model", "content", "text"),
    [
        (ProjectCreate, {"name": "Bad Name"}, "must be 1 to 40 of a-z, 0-9 and hyphens, with no hyphen at either end"),
        (ProjectCreate, {}, "is required"),
        (ServiceScale, {"replicas": -1}, "must be greater than or equal to 0"),
        (ProjectCreate, {"name": "shop", "nmae": 1}, "is not known here"),
        (HealthProbe, {"path": "no path"}, "must begin with a slash and have no spaces"),
        (RouteCreate, {"host": "bad domain"}, "host 'bad domain' is not a host name such as shop.example.com"),
    ],
)
def test_a_fault_is_told_in_words(model: type[BaseModel], content: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(content)
    assert [fault_text(error) for error in refused.value.errors()] == [text]


def test_every_pattern_told_in_words_is_one_of_the_contract() -> None:
    sources = [path for path in Path(*towline.contract.__path__).glob("*.py") if path.name != "faults.py"]
    given = "\n".join(path.read_text() for path in sources)
    assert len([pattern for pattern in PATTERNS if f'r"{pattern}"' in given]) >= 7
