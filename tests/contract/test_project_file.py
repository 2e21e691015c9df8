"""Project files and compose files: what is read, what is refused, and where."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.contract.compose_file import read_compose
from towline.contract.project_file import memory_bytes, memory_size
from towline.contract.project_file_schema import project_file_schema
from towline.contract.project_file_text import load_yaml, parse_project_file
from towline.errors import InvalidInput

_SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "project-file.schema.json"
_SHORT = """
project: shop
variables: {A: text, B: 1, C: true, D: {secret: true}}
services:
  web: {image: x, needs: [api], domains: [shop.example.com], health: /up, memory: 1Gi, cpus: 1}
  api: {needs: [{service: db, cascade: true}]}
  db: {image: postgres:16, volumes: {data: /data}}
"""
_COMPOSE = """
x-common: &common {restart: always, networks: [front]}
services:
  web_app:
    <<: *common
    build: {context: ./web, args: {MODE: fast}}
    ports: ["8080:80"]
    depends_on: {db: {condition: service_healthy}}
    environment: [PLAIN=1, "FROM_SHELL", "MIXED=${X}"]
    volumes: ["./here:/there", "data:/var/data"]
    privileged: true
  db:
    image: postgres:16
    healthcheck: {test: ["CMD-SHELL", "pg_isready"]}
    deploy: {replicas: 1, resources: {limits: {memory: 512m}}}
volumes: {data: {}}
secrets: {x: {}}
"""


def test_the_checked_in_schema_is_the_codes() -> None:
    assert json.loads(_SCHEMA.read_text()) == project_file_schema(), "run `python docs/openapi.py`"


def test_the_schema_takes_what_is_read_and_refuses_what_is_not() -> None:
    validator = jsonschema_rs.validator_for(project_file_schema())
    assert validator.is_valid(load_yaml(_SHORT, where="file"))
    wrongs: tuple[dict[str, object], ...] = (
        {},
        {"project": "a b"},
        {"project": "a", "servces": {}},
        {"project": "a", "variables": {"1x": "y"}},
    )
    for wrong in wrongs:
        assert not validator.is_valid(wrong)


def test_short_forms_stand_for_the_long_ones() -> None:
    file = parse_project_file(_SHORT)
    assert {name: item.value for name, item in file.variables.items()} == {
        "A": "text",
        "B": "1",
        "C": "true",
        "D": None,
    }
    assert file.services["web"].needs[0].service == "api"
    assert file.services["web"].health.path == "/up"
    assert memory_bytes(file.services["web"].memory) == 1024**3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("project: a\nproject: b\n", "line 2: the key 'project' is there twice"),
        ("project: [", "line 1"),
        ("- a\n", "holds no mapping"),
        ("project: a\nservces: {}\n", "servces: is not known here"),
        ("project: a\nservices: {web: {needs: [db]}}\n", "there is no service 'db' in the file"),
        ("project: a\nservices: {web: {image: x, git: {url: y}}}\n", "several sources: image, git"),
        ("project: a\nvariables: {A: {secret: true, value: x}}\n", "secret values do not belong into the file"),
        ("project: a\nservices: {web: {memory: 1K}}\n", "must be at least 6Mi"),
        ("project: !!python/object/apply:os.system [id]\n", "line 1"),
        ("a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(8)
        ), "holds more than 50000 values"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_project_file(text)
    assert message in refused.value.message


@given(st.integers(6 * 1024 * 1024, 2**45))
def test_sizes_are_written_so_that_they_are_read_back(size: int) -> None:
    assert memory_bytes(memory_size(size)) == size


def test_a_compose_file_is_carried_and_says_what_could_not_be() -> None:
    read = read_compose(_COMPOSE, project="shop")
    web, database = read.file.services["web-app"], read.file.services["db"]
    assert (web.build.context, web.build.arguments, web.port) == ("web", {"MODE": "fast"}, 80)
    assert [need.service for need in web.needs] == ["db"]
    assert (web.variables["PLAIN"].value, web.variables["FROM_SHELL"].secret, web.variables["MIXED"].secret) == (
        "1",
        True,
        True,
    )
    assert web.volumes == {"data": "/var/data"}
    assert (database.type, database.health.command, memory_bytes(database.memory)) == (
        "database",
        ["sh", "-c", "pg_isready"],
        512_000_000,
    )
    notes = "\n".join(read.notes)
    for part in ("./here", "privileged", "FROM_SHELL", "`secrets`"):
        assert part in notes


@pytest.mark.parametrize("text", ["services: {}\n", "x: 1\n", "services: [a]\n"])
def test_what_is_no_compose_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_compose(text, project="shop")
