"""What is kept from one start to the next, and the ports."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from towline.errors import InvalidInput, NotFound, Unavailable
from towline.infra.wishes import find_wish, wish
from towline.supervise.installation import (
    Installation,
    Ports,
    code_stamp,
    get_installation,
    grant_wishes,
    local_api_key,
    note_example,
    open_installation,
)
from towline.supervise.layout import Layout
from towline.supervise.ports import PortState, choose_port, find_free_loopback_port, look_at_port
from towline.supervise.probes import find_interface_address

_DOMAIN = "TOWLINE_BASE_DOMAIN"


@pytest.fixture
def folder(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    return layout


def test_the_second_start_keeps_id_ports_and_settings(folder: Layout) -> None:
    first, is_new = open_installation(folder, {"TOWLINE_BASE_DOMAIN": "example.com", "PATH": "/bin"})
    second, is_still_new = open_installation(folder, {})
    assert (is_new, is_still_new) == (True, False)
    assert second == first == get_installation(folder)
    assert second.settings == {"TOWLINE_BASE_DOMAIN": "example.com"}
    assert folder.state_file.stat().st_mode & 0o777 == 0o600


def test_a_changed_setting_changes_the_fingerprint_and_an_empty_one_is_forgotten(folder: Layout) -> None:
    first, _ = open_installation(folder, {"TOWLINE_BASE_DOMAIN": "example.com"})
    second, _ = open_installation(folder, {"TOWLINE_BASE_DOMAIN": ""})
    assert second.base_domain == "localhost"
    assert second.fingerprint != first.fingerprint
    assert second.installation_id == first.installation_id


def test_a_wish_is_granted_by_whoever_changes_the_installation_next(folder: Layout) -> None:
    open_installation(folder, {"TOWLINE_HTTP_PORT": ""})
    _wish(folder, "apps.example.com")
    assert grant_wishes(folder).base_domain == "apps.example.com"
    assert (get_installation(folder).base_domain, find_wish(folder.root)) == ("apps.example.com", {})
    _wish(folder, "other.example.com")
    note_example(folder, "deployed")
    assert (get_installation(folder).example, find_wish(folder.root)) == ("deployed", {_DOMAIN: "other.example.com"})
    granted = grant_wishes(folder)
    assert (granted.base_domain, granted.example) == ("other.example.com", "deployed")


def test_what_is_given_to_a_start_wins_over_an_older_wish(folder: Layout) -> None:
    open_installation(folder, {})
    _wish(folder, "apps.example.com")
    given, _ = open_installation(folder, {"TOWLINE_BASE_DOMAIN": "example.net"})
    assert (given.base_domain, grant_wishes(folder).base_domain) == ("example.net", "example.net")
    _wish(folder, "apps.example.com")
    assert open_installation(folder, {})[0].base_domain == "apps.example.com"


def test_an_updated_checkout_changes_the_fingerprint_and_compiled_files_do_not(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "worker.py").write_text("")
    before = code_stamp(tmp_path)
    (tmp_path / "__pycache__" / "worker.pyc").write_text("")
    assert code_stamp(tmp_path) == before
    (tmp_path / "worker.py").write_text("pass\n")
    assert code_stamp(tmp_path) != before


@pytest.mark.parametrize(
    ("domain", "authority", "url"),
    [
        ("apps.example.com", "", "https://towline.apps.example.com:8443"),
        ("apps.example.test", "", "http://towline.apps.example.test:8080"),
        ("apps.example.test", "https://127.0.0.1:14000/dir", "https://towline.apps.example.test:8443"),
        ("localhost", "", "http://towline.localhost:8080"),
    ],
)
def test_the_platform_is_shown_with_tls_where_a_certificate_is_asked_for(domain: str, authority: str, url: str) -> None:
    settings = {
        "TOWLINE_BASE_DOMAIN": domain,
        "TOWLINE_ACME_EMAIL": "you@example.com",
        "TOWLINE_ACME_DIRECTORY_URL": authority,
    }
    installation = Installation("twl1", settings, Ports(http=8080, https=8443, api=1, traefik_api=2, internal=3))
    assert installation.platform_url == url


def test_an_empty_folder_holds_no_installation(folder: Layout) -> None:
    with pytest.raises(NotFound, match="no Towline"):
        get_installation(folder)


def test_a_taken_port_is_refused_when_asked_for_and_passed_over_when_not(folder: Layout) -> None:
    with socket.socket() as holder:
        holder.bind(("", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert look_at_port(taken) is PortState.TAKEN
        assert choose_port(taken, taken) > taken
        with pytest.raises(InvalidInput, match=f"Port {taken} is taken"):
            open_installation(folder, {"TOWLINE_HTTP_PORT": str(taken)})


@pytest.mark.parametrize("text", ["http", "-1", "65536", "8e3"])
def test_a_port_that_is_no_port_is_refused(folder: Layout, text: str) -> None:
    with pytest.raises(InvalidInput, match="TOWLINE_HTTPS_PORT"):
        open_installation(folder, {"TOWLINE_HTTPS_PORT": text})


def test_addresses_carry_a_port_only_when_they_must(folder: Layout) -> None:
    port = find_free_loopback_port()
    installation, _ = open_installation(folder, {"TOWLINE_HTTP_PORT": str(port)})
    assert installation.platform_url == f"http://towline.localhost:{port}"
    assert _on_port_80(installation).platform_url == "http://towline.localhost"


def test_the_local_key_is_the_given_one_or_made_once(folder: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_BOOTSTRAP_API_KEY", "too short")
    with pytest.raises(InvalidInput, match="9 characters"):
        local_api_key(folder)
    monkeypatch.setenv("TOWLINE_BOOTSTRAP_API_KEY", "k" * 40)
    assert local_api_key(folder) == "k" * 40
    monkeypatch.delenv("TOWLINE_BOOTSTRAP_API_KEY")
    assert local_api_key(folder) == "k" * 40


def test_the_loopback_interface_has_its_address() -> None:
    assert find_interface_address("lo") == "127.0.0.1"
    assert find_interface_address("no-such-one") == ""


def _on_port_80(installation: Installation) -> Installation:
    return replace(installation, ports=replace(installation.ports, http=80))


def _wish(folder: Layout, domain: str) -> None:
    """A wish that no supervisor is there to hear of."""
    with pytest.raises(Unavailable):
        wish(folder.root, {"TOWLINE_BASE_DOMAIN": domain}, supervisor=2**22 + 1)
