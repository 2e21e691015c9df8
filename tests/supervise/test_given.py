"""Settings that Towline could not run with are refused before it starts."""

import pytest

from towline.errors import InvalidInput
from towline.supervise.given import check_given


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("TOWLINE_BASE_DOMAIN", "bad domain!", "TOWLINE_BASE_DOMAIN 'bad domain!' is not a host name"),
        ("TOWLINE_DATABASE_URL", "nonsense", "TOWLINE_DATABASE_URL must begin with postgresql"),
        ("TOWLINE_REDIS_URL", "redis+unix://x", "TOWLINE_REDIS_URL must begin with redis:// or rediss:// or unix://"),
        ("TOWLINE_BUILD_CONCURRENCY", "many", "TOWLINE_BUILD_CONCURRENCY must be a whole number"),
        ("TOWLINE_DRAIN", "soon", "TOWLINE_DRAIN "),
        ("TOWLINE_ROUTING", "nginx", "TOWLINE_ROUTING must be 'traefik' or 'labels'"),
    ],
)
def test_a_setting_that_cannot_work_is_named(name: str, value: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_given({name: value})
    assert refused.value.message.startswith(text)
    assert refused.value.field == name


def test_settings_of_others_and_forgotten_ones_are_let_pass() -> None:
    check_given({"PATH": "/bin", "TOWLINE_BUILD_CONCURRENCY": "", "TOWLINE_SUPERVISOR": "1", "TOWLINE_DRAIN": "PT2S"})
