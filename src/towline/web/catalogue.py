"""HTTP: the catalogue of templates."""

import asyncio

from towline.contract.templates import Template, TemplateList, TemplateSummary
from towline.errors import NotFound
from towline.project_files.templates import FoundTemplate, list_templates
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("templates.list", holds_transaction=False)
async def list_(call: Call) -> TemplateList:
    """Every template."""
    found = await asyncio.to_thread(list_templates, call.platform.settings.templates_dir)
    return TemplateList(items=[_summary(one) for one in found.values()])


@router.operation("templates.get", holds_transaction=False)
async def get(call: Call) -> Template:
    """One template with its file."""
    found = await asyncio.to_thread(list_templates, call.platform.settings.templates_dir)
    name = call.path["template"]
    if name not in found:
        raise NotFound(f"There is no template {name!r}.", hint="List them with `towline templates list`.")
    return Template(**_summary(found[name]).model_dump(), file=found[name].text)


def _summary(found: FoundTemplate) -> TemplateSummary:
    template = found.template
    return TemplateSummary(**template.template.model_dump(), origin=found.origin, services=list(template.file.services))
