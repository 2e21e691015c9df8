"""The operation table is complete, consistent and documented."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from towline.contract.base import Model
from towline.contract.operations import Operation
from towline.contract.routes.table import OPERATIONS

FOUNDING = {
    "projects": "list create get update delete",
    "services": "listByProject create get update delete deploy scale restart stop start getLogs getStatus",
    "deployments": "trigger list getStatus getLogs cancel rollback",
    "releases": "list promote",
    "uploads": "create append get",
}


def _models(parent: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in parent.__subclasses__():
        if model.__module__.startswith("towline.") and "[" not in model.__name__:
            yield model
        yield from _models(model)


MODELS = sorted(set(_models(Model)), key=lambda model: model.__name__)


def test_every_founding_operation_is_there() -> None:
    wanted = {f"{noun}.{verb}" for noun, verbs in FOUNDING.items() for verb in verbs.split()}
    assert wanted <= {operation.id for operation in OPERATIONS}


def test_ids_and_places_are_unique() -> None:
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_operation_is_consistent(operation: Operation) -> None:
    assert operation.summary[0].isupper()
    assert operation.path.startswith("/")
    assert operation.request is None or operation.method != "GET"
    assert (operation.status == 204) == (operation.method == "DELETE")
    assert (operation.response is None) == (operation.status == 204 or operation.media_type != "application/json")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_model_and_its_fields_are_documented(model: type[BaseModel]) -> None:
    assert model.__doc__ or model.__name__.startswith("_")
    assert model.model_config.get("extra") == "forbid"
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_two_models_never_share_a_name() -> None:
    assert len({model.__name__ for model in MODELS}) == len(MODELS)
