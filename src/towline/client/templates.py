"""Calls about the catalogue of templates."""

from towline.client.connection import Call, Connection
from towline.contract.templates import Template, TemplateList


class Templates:
    """Templates."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> TemplateList:
        """Every template."""
        return self._connection.send(Call("templates.list"), TemplateList)

    def get(self, name: str) -> Template:
        """One template with its file."""
        return self._connection.send(Call("templates.get", {"template": name}), Template)
