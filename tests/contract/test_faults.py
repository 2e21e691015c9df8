"""Refusals are told in words, not in regular expressions."""

import pytest
from pydantic import BaseModel, ValidationError

from towline.contract.domains import RouteCreate
from towline.contract.faults import fault_text
from towline.contract.projects import ProjectCreate
from towline.contract.services import ServiceScale


@pytest.mark.parametrize(
    ("model", "content", "text"),
    [
        (ProjectCreate, {"name": "Bad Name"}, "must be 1 to 40 of a-z, 0-9 and hyphens, with no hyphen at either end"),
        (ProjectCreate, {}, "is required"),
        (ServiceScale, {"replicas": -1}, "must be greater than or equal to 0"),
        (ProjectCreate, {"name": "shop", "nmae": 1}, "is not known here"),
        (RouteCreate, {"host": "bad domain"}, "host 'bad domain' is not a host name such as shop.example.com"),
    ],
)
def test_a_fault_is_told_in_words(model: type[BaseModel], content: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(content)
    assert [fault_text(error) for error in refused.value.errors()] == [text]
