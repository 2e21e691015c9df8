"""Every template of the catalogue: by the schema, and as the file of a project."""

from pathlib import Path

import pytest

from towline.contract.project_file import ProjectFile
from towline.contract.templates import TemplateFile, parse_template, to_project_file
from towline.errors import InvalidInput
from towline.project_files.templates import BUILT_IN, list_templates

NAMES = sorted(path.stem for path in BUILT_IN.glob("*.yaml"))
DATABASES = {"postgresql", "mysql", "mariadb", "redis", "valkey", "mongodb"}


def _use(name: str, **answers: str) -> ProjectFile:
    return to_project_file(_template(name), project="shop", name="store", answers=answers)


def _template(name: str) -> TemplateFile:
    return parse_template((BUILT_IN / f"{name}.yaml").read_text(), where=name)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_whole_and_its_services_get_the_chosen_name(name: str) -> None:
    template, file = _template(name), _use(name)
    assert template.template.name == name
    assert "store" in file.services
    assert len(file.services) == len(template.file.services)
    for service_name, service in file.services.items():
        assert service_name == "store" or service_name.startswith("store-")
        assert service.image
        assert service.memory
        assert service.health.kind != "auto"
        assert {need.service for need in service.needs} <= file.services.keys()
        for variable in service.variables.values():
            assert variable.value is None or "services.db." not in variable.value
        if service.type == "database":
            assert service.volumes
            assert service.health.kind == "command"
            assert "URL" in service.variables
            assert any(variable.generate for variable in service.variables.values())
            assert service.backup is not None
            assert service.backup.command
            assert service.backup.restore_command


def test_the_catalogue_has_the_usual_databases_and_a_folder_adds_and_replaces(tmp_path: Path) -> None:
    assert set(list_templates(None)) >= DATABASES
    own = (BUILT_IN / "redis.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(own.replace("name: redis", "name: mine"))
    (tmp_path / "redis.yaml").write_text(own.replace("title: Redis", "title: Our Redis"))
    (tmp_path / "broken.yaml").write_text("services: {}")
    found = list_templates(tmp_path)
    assert found["mine"].origin == found["redis"].origin == "folder"
    assert found["redis"].template.template.title == "Our Redis"
    assert found["valkey"].origin == "built-in"
    assert "broken" not in found


def test_questions_are_answered_or_refused() -> None:
    file = _use("n8n", GENERIC_TIMEZONE="Europe/Berlin")
    assert file.services["store"].variables["GENERIC_TIMEZONE"].value == "Europe/Berlin"
    assert _use("n8n").services["store"].variables["GENERIC_TIMEZONE"].value == "UTC"
    with pytest.raises(InvalidInput, match="does not ask for COLOUR"):
        _use("n8n", COLOUR="red")
    with pytest.raises(InvalidInput, match="name"):
        to_project_file(_template("redis"), project="shop", name="No Slug", answers={})
