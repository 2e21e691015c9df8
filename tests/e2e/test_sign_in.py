"""From the set-up link to a session, through Traefik, over HTTP and HTTPS."""

import http.client
import json
import ssl

import httpx2
import pytest
from tests.running import RunningTowline

from towline.client import TowlineClient
from towline.client.transport import LocalhostTransport
from towline.contract.sessions import SignIn

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
EMAIL, PASSWORD = "ann@example.com", "seven lazy tugboats"


def test_the_set_up_link_leads_to_an_administrator_who_can_sign_in_everywhere(towline: RunningTowline) -> None:
    link = httpx2.URL(str(towline.outcome["setup_link"]))
    origin = f"{link.scheme}://{link.netloc.decode()}"
    with httpx2.Client(transport=LocalhostTransport(), base_url=origin, timeout=30) as browser:
        assert "first administrator" in browser.get(link).text
        form = {"name": "Ann", "email": EMAIL, "password": PASSWORD}
        headers = {"Origin": origin, "X-Forwarded-For": "6.6.6.6"}
        assert browser.post(link, data=form, headers=headers).status_code == 303
        assert browser.get(link).status_code == 404
        assert EMAIL in browser.get("/sign-in").text
        (session,) = browser.get("/api/v1/sessions").json()["items"]
        assert (session["method"], session["address"]) == ("setup", "127.0.0.1"), "a made up address is not believed"
        foreign = {"Origin": f"http://shop.{towline.base_domain}:{towline.http_port}"}
        assert browser.post("/api/v1/projects", json={"name": "planted"}, headers=foreign).status_code == 403

    _check_https(towline, link.host)
    _check_command_line(towline, origin)


def _check_https(towline: RunningTowline, host: str) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", towline.https_port, timeout=30, context=trusting)
    body = json.dumps({"email": EMAIL, "password": PASSWORD})
    connection.request("POST", "/api/v1/sessions", body, {"Host": host, "Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    cookies = answer.headers.get_all("set-cookie") or []
    connection.close()
    assert answer.status == 201
    assert cookies
    assert all(cookie.startswith("__Host-towline_") and "; Secure" in cookie for cookie in cookies)


def _check_command_line(towline: RunningTowline, origin: str) -> None:
    with TowlineClient(origin, "") as anyone:
        token = anyone.sessions.create(SignIn(email=EMAIL, password=PASSWORD, kind="token", device="laptop")).token
    assert token is not None
    with TowlineClient(origin, token) as ann:
        assert ann.account.get().user.is_administrator
        assert [row.device for row in ann.sessions.list().items if row.is_current] == ["laptop"]
        assert ann.sessions.delete_others().ended == 2
        ann.sessions.end()
    shown = towline.command("account")
    assert EMAIL in shown.stdout, "the server's own key belongs to the same administrator"
