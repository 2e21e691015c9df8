"""Settings as processes read them."""

from towline.config import Settings


def test_hosts_of_towline_are_kept_as_hosts_of_apps_are() -> None:
    settings = Settings.from_environment(
        {"TOWLINE_PLATFORM_HOST": "Panel.Example.COM.", "TOWLINE_BASE_DOMAIN": "Example.com"}
    )
    assert settings.effective_platform_host == "panel.example.com"
    assert {"panel.example.com", "example.com"} <= settings.own_hosts
