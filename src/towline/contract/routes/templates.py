"""Operations of the catalogue of templates."""

from typing import Final

from towline.contract.operations import read
from towline.contract.templates import Template, TemplateList

TEMPLATE_OPERATIONS: Final = (
    read("templates.list", "/templates", needs="signed_in", gives=TemplateList, summary="List templates"),
    read("templates.get", "/templates/{template}", needs="signed_in", gives=Template, summary="Show a template"),
)
