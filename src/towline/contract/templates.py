"""Templates: project files that anyone can start from, and how one becomes the file of a project."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import Field, ValidationError, model_validator

from towline.contract.base import LongText, Model, ShortText, Slug, VariableName
from towline.contract.faults import fault_text
from towline.contract.project_file import FileVariable, ProjectFile
from towline.contract.project_file_text import load_yaml
from towline.errors import InvalidInput
from towline.names import check_slug

_ANY_PROJECT: Final = "template"
_OWN_NAME: Final = re.compile(r"(?P<before>\$\{\{\s*services\.)(?P<name>[a-z0-9][a-z0-9-]*)(?=\.)")


class TemplateQuestion(Model):
    """A variable that whoever uses the template may want to say."""

    service: Slug = Field(description="Service that it is of.")
    variable: VariableName = Field(description="Name of the variable.")
    text: ShortText = Field(description="What it means.")
    default: LongText | None = Field(default=None, description="Value without an answer; null: one is needed.")


class TemplateHeader(Model):
    """What a template is."""

    name: Slug = Field(description="Name.", examples=["postgresql"])
    title: ShortText = Field(description="Name for people.", examples=["PostgreSQL"])
    description: ShortText = Field(default="", description="One line about it.")
    service: Slug = Field(description="Its main service, which gets the name one chooses.")
    questions: Annotated[list[TemplateQuestion], Field(max_length=20)] = Field(default=[], description="Questions.")


class TemplateFile(Model):
    """A template as it stands in its file: a header, and services as in a project file."""

    template: TemplateHeader = Field(description="What it is.")
    file: ProjectFile = Field(description="Its services, in a project without a name of its own.")

    @model_validator(mode="after")
    def _whole(self) -> "TemplateFile":
        if self.template.service not in self.file.services:
            raise ValueError(f"template.service: there is no service {self.template.service!r}")
        for question in self.template.questions:
            service = self.file.services.get(question.service)
            if service is None or question.variable not in service.variables:
                raise ValueError(f"template.questions: {question.service} has no variable {question.variable}")
        return self


class TemplateSummary(TemplateHeader):
    """A template of the catalogue."""

    origin: Literal["built-in", "folder"] = Field(description="`folder`: of TOWLINE_TEMPLATES_DIR.")
    services: list[str] = Field(description="Names of its services.")


class Template(TemplateSummary):
    """A template with its file."""

    file: str = Field(description="The template as YAML.")


class TemplateList(Model):
    """The catalogue."""

    items: list[TemplateSummary] = Field(description="Templates by name.")


def parse_template(text: str, *, where: str) -> TemplateFile:
    """The template in a text; InvalidInput naming the place in it."""
    document = dict(load_yaml(text, where=where))
    header = document.pop("template", None)
    try:
        return TemplateFile.model_validate({"template": header, "file": {**document, "project": _ANY_PROJECT}})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part != "file") or "the template"
        raise InvalidInput(f"{where}: {place}: {fault_text(first)}.", field="template") from error


def to_project_file(template: TemplateFile, *, project: str, name: str, answers: Mapping[str, str]) -> ProjectFile:
    """The file to apply: the main service has the chosen name, others that name with their own behind it."""
    main = template.template.service
    names = {old: name if old == main else f"{name}-{old}" for old in template.file.services}
    for new in names.values():
        check_slug(new, field="name")
    document = template.file.model_dump(mode="json", by_alias=True, exclude_unset=True)
    services = {names[old]: _renamed(service, names) for old, service in document["services"].items()}
    _answer(template, services, names=names, answers=answers)
    return ProjectFile.model_validate({"project": project, "services": services})


def _answer(
    template: TemplateFile, services: dict[str, Any], *, names: Mapping[str, str], answers: Mapping[str, str]
) -> None:
    questions = {question.variable: question for question in template.template.questions}
    if unknown := sorted(answers.keys() - questions.keys()):
        raise InvalidInput(f"The template {template.template.name} does not ask for {', '.join(unknown)}.", field="set")
    for variable, question in questions.items():
        value = answers.get(variable, question.default)
        if value is None:
            hint = f"Pass --set {variable}=VALUE."
            raise InvalidInput(f"The template asks for {variable}: {question.text}.", hint=hint, field="set")
        services[names[question.service]]["variables"][variable] = FileVariable(value=value).model_dump(
            mode="json", by_alias=True, exclude_unset=True
        )


def _renamed(value: Any, names: Mapping[str, str], *, key: str = "") -> Any:
    """The same with names of services replaced: in references, and where a need names one."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        return {name: _renamed(item, names, key=name) for name, item in mapping.items()}
    if isinstance(value, list):
        return [_renamed(item, names, key=key) for item in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    if key == "service":
        return names.get(value, value)
    return _OWN_NAME.sub(lambda found: found["before"] + names.get(found["name"], found["name"]), value)
