"""How templates look into values."""

from typing import Any, Final, cast

from jinja2 import Environment

_METHODS: Final = frozenset(dir(dict))


class DictFirst(Environment):
    """Looks into dicts by key at once: almost all that pages show are the API's answers, and asking a dict for an
    attribute that it does not have takes ten times as long. Names of its methods stay the methods, whatever its keys.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A value's key or attribute; undefined when it has neither."""
        if type(obj) is dict and attribute not in _METHODS and attribute in (known := cast("dict[str, Any]", obj)):
            return known[attribute]
        return super().getattr(obj, attribute)
