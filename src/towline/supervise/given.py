"""The settings that `towline up` is given, checked before anything starts with them or keeps them."""

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from towline.config import PREFIX, Settings
from towline.contract.faults import fault_text
from towline.errors import InvalidInput
from towline.names import check_host

_HINT: Final = "Correct the variable; docs/reference/settings.md says what each one takes."
_HOSTS: Final = ("TOWLINE_BASE_DOMAIN", "TOWLINE_PLATFORM_HOST")
_SCHEMES: Final = {
    "TOWLINE_DATABASE_URL": ("postgresql+asyncpg://",),
    "TOWLINE_REDIS_URL": ("redis://", "rediss://", "unix://"),
    "TOWLINE_ACME_DIRECTORY_URL": ("https://",),
    "TOWLINE_SMTP_URL": ("smtp://", "smtps://"),
}


def check_given(environment: Mapping[str, str]) -> None:
    """InvalidInput naming the first `TOWLINE_…` variable that Towline could not run with; an empty one is none."""
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
    for name in _HOSTS:
        if name in given:
            check_host(given[name], field=name)
    for name, schemes in _SCHEMES.items():
        if name in given and not given[name].startswith(schemes):
            raise InvalidInput(f"{name} must begin with {' or '.join(schemes)}.", hint=_HINT, field=name)
    try:
        Settings.from_environment(given)
    except ValidationError as error:
        fault = error.errors()[0]
        name = PREFIX + str(fault["loc"][0]).upper()
        raise InvalidInput(f"{name} {fault_text(fault)}.", hint=_HINT, field=name) from error
