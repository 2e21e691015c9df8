"""Pages of the catalogue: templates to start from, and one of them made into services of a project."""

from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.contract.templates import parse_template, to_project_file
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.places import ask_project, project_view


async def show_catalogue(visit: Visit) -> View:
    """Every template."""
    project, (templates,) = await ask_project(visit, wanting("templates.list"))
    return project_view(visit, project, "catalogue.html", "Catalogue", {"templates": templates["items"]})


async def show_template(visit: Visit) -> View:
    """One template, and what it asks for."""
    project, (template,) = await ask_project(visit, wanting("templates.get", template=visit.path["template"]))
    return project_view(visit, project, "template.html", template["title"], {"template": template})


async def use_template(visit: Visit, fields: Fields) -> str:
    """Make its services, and deploy them together."""
    name = visit.path["project"]
    template = await visit.ask("templates.get", template=visit.path["template"])
    answers = {
        question["variable"]: value
        for question in template["questions"]
        if (value := text(fields, f"answer.{question['variable']}"))
    }
    parsed = parse_template(template["file"], where=template["name"])
    file = to_project_file(parsed, project=name, name=text(fields, "name") or template["name"], answers=answers)
    wanted: Json = {"file": file.model_dump(mode="json", by_alias=True, exclude_unset=True)}
    wanted["environment"] = text(fields, "environment") or DEFAULT_ENVIRONMENT
    plan = await visit.ask("projectFiles.plan", body=wanted)
    applied = await visit.ask("projectFiles.apply", body={**wanted, "fingerprint": plan["fingerprint"]})
    return f"/projects/{name}" + (f"/groups/{applied['group']}" if applied["group"] else "")
