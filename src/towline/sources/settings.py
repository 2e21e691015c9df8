"""Reading a source's configuration: each value checked, each error naming its field."""

from collections.abc import Collection, Mapping

from towline.errors import InvalidInput


def check_keys(config: Mapping[str, object], known: Collection[str]) -> None:
    """InvalidInput naming the first key that the source does not know."""
    for key in config:
        if key not in known:
            raise InvalidInput(f"{key[:100]!r} is no setting of this source; it has {_listed(known)}.", field=key[:100])


def get_text(config: Mapping[str, object], key: str, *, longest: int = 2048) -> str:
    """A text (empty when not set) without control characters but line ends and tabs; InvalidInput otherwise."""
    value = config.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"{key} is not a text.", field=key)
    if len(value) > longest:
        raise InvalidInput(f"{key} is longer than {longest} characters.", field=key)
    if any(ord(character) < 32 and character not in "\n\r\t" for character in value) or "\x7f" in value:
        raise InvalidInput(f"{key} has control characters.", field=key)
    if any(0xD800 <= ord(character) < 0xE000 for character in value):
        raise InvalidInput(f"{key} is not valid Unicode.", field=key)
    return value


def get_flag(config: Mapping[str, object], key: str) -> bool:
    """True or false (false when not set); InvalidInput otherwise."""
    value = config.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidInput(f"{key} is neither true nor false.", field=key)
    return value


def _listed(known: Collection[str]) -> str:
    return ", ".join(sorted(known)) or "none"
