"""Pages in rough hands: pressed twice, left and come back to, cut off, with a Towline that does not answer."""

import re
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, WebSocketRoute, expect
from tests.e2e.browser.people import add_user, sign_in
from tests.e2e.parts import app, succeeded
from tests.running import RunningTowline, tar_of

from towline.contract.environments import EnvironmentCreate
from towline.contract.projects import ProjectCreate
from towline.contract.variables import VariablesSet

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(600)]
_PATIENCE: Final = 60_000


@pytest.fixture(autouse=True)
def patience(context: BrowserContext) -> None:
    """Wait long: this machine may have much to do."""
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)


def test_restart_stop_and_start_do_what_they_say_however_often_they_are_pressed(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("hello")))
    page = context.new_page()
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), f"/projects/{project}/services/web")
    instance = page.locator("#instances-part tbody tr")
    before = instance.get_attribute("id")
    page.get_by_role("button", name="Restart").dblclick()
    expect(page.locator(f"#{before}")).to_have_count(0)
    expect(instance).to_have_count(1)
    page.get_by_role("button", name="Stop").dblclick()
    expect(page.locator("#status-part")).to_contain_text("Stopped")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#status-part")).to_contain_text("Healthy")


def test_a_form_is_kept_where_only_the_proxy_answers(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    page, path = context.new_page(), f"/projects/{project}/services/web/variables"
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), path)
    page.route(
        f"**{path}",
        lambda route: (
            route.fulfill(status=502, body="Bad Gateway") if route.request.method == "POST" else route.fallback()
        ),
    )
    page.get_by_label("Name", exact=True).fill("GREETING")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator(".problem")).to_have_text("Towline does not answer. Try again.")
    page.unroute(f"**{path}")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#var-GREETING")).to_be_visible()


def test_a_connection_that_went_dead_in_silence_is_given_up_and_nothing_is_missed(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    page, path = context.new_page(), f"/projects/{project}/services/web/variables"
    dead: set[int] = set()
    opened: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        opened.append(socket)
        number, server = len(opened), socket.connect_to_server()
        socket.on_message(lambda message: None if number in dead else server.send(message))
        server.on_message(lambda message: None if number in dead else socket.send(message))

    page.route_web_socket("**/api/v1/ws", pass_on)
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), path)
    _set(towline, project, "BEFORE")
    expect(page.locator("#var-BEFORE")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("HALF_TYPED")
    dead.add(len(opened))
    _set(towline, project, "MEANWHILE")
    page.evaluate("dispatchEvent(new Event('online'))")  # as after sleep, or in another network
    expect(page.locator("#var-MEANWHILE")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("HALF_TYPED")
    assert len(opened) >= 2
    expect(page.locator("#live")).to_be_hidden()


def test_addresses_and_digests_are_copied_with_and_without_a_clipboard_of_the_page(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    deployment = succeeded(towline.deploy_files(project, app("hello")))
    account, path = add_user(towline, is_administrator=True), f"/deployments/{deployment.id}"
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=towline.api_url)
    page = context.new_page()
    sign_in(page, towline.api_url, account, path)
    for wanted in (*deployment.urls, deployment.revision.removeprefix("sha256:")):
        for has_clipboard in (True, False):
            page.goto(towline.api_url + path)
            page.evaluate("navigator.clipboard.writeText('before')")
            button = page.locator(f"#deployment-part [data-copy='{wanted}']").first
            expect(button).to_be_visible()
            if not has_clipboard:
                page.evaluate(
                    "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('plain http')); }"
                )
            button.press("Enter")
            expect(button).to_have_text("Copied")
            expect(button).to_be_focused()
            assert page.evaluate("navigator.clipboard.readText()") == wanted


def test_a_page_that_a_form_made_is_renewed_and_loaded_again_like_the_one_that_sent_it(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    page = context.new_page()
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), "/instance/users")
    page.get_by_label("E-mail address").fill(f"{project}@example.com")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.locator("#made")).to_be_visible()
    expect(page).to_have_url(f"{towline.api_url}/instance/users")
    page.reload()
    expect(page.locator("#made")).to_have_count(0)
    expect(page.get_by_text(f"{project}@example.com")).to_be_visible()


def test_what_was_promoted_is_deployed_again_from_its_page(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    made = succeeded(towline.deploy_files(project, app("hello")))
    towline.client.environments.create(project, EnvironmentCreate(name="staging"))
    page = context.new_page()
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), f"/deployments/{made.id}")
    page.get_by_role("button", name="Promote without a build").click()
    expect(page.locator("#deployment-part .meta").first).to_contain_text("staging")
    expect(page.locator("#deployment-part .state").first).to_have_class("state good")
    promoted = page.url
    page.get_by_role("button", name="Deploy the same again").click()
    expect(page).not_to_have_url(promoted)
    expect(page.locator("#deployment-part .state").first).to_have_class("state good")
    expect(page.locator("#deployment-part .meta").first).to_contain_text("staging")


def test_what_is_wrong_with_a_form_and_what_was_typed_outlive_the_renewal_of_the_page(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    page, path = context.new_page(), f"/projects/{project}/services/web/variables"
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), path)
    name, value = page.get_by_label("Name", exact=True), page.get_by_label("Value")
    name.fill("A_NAME")
    value.fill("typed with care")
    page.get_by_label("As a file").fill("no path")
    page.get_by_role("button", name="Set", exact=True).click()
    problem = page.locator("form > .problem")
    expect(problem).to_contain_text("As a file at: ")
    expect(page.locator("p:has(#mount_path) + .problem")).to_be_in_viewport()
    expect(page.get_by_label("As a file")).to_be_focused()
    for other in ("ONE", "TWO"):
        _set(towline, project, other)
        expect(page.locator(f"#var-{other}")).to_be_visible()
        expect(problem).to_be_visible()
        expect(name).to_have_value("A_NAME")
        expect(value).to_have_value("typed with care")
    page.get_by_label("As a file").fill("")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#var-A_NAME")).to_contain_text("typed with care")
    expect(problem).to_have_count(0)


def test_an_upload_that_breaks_off_goes_on_when_the_form_is_sent_again(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    page, account = context.new_page(), add_user(towline, is_administrator=True)
    towline.client.projects.create(ProjectCreate(name=project))
    sign_in(page, towline.api_url, account, f"/projects/{project}")
    page.get_by_label("Service", exact=True).fill("web")
    page.get_by_role("radio", name="Upload").check()
    archive = {"name": "app.tar", "mimeType": "application/x-tar", "buffer": tar_of(app("after all"))}
    page.locator("input[type=file]").set_input_files([archive])  # pyright: ignore[reportArgumentType]
    page.route("**/uploads/*", lambda route: route.abort())
    page.get_by_role("button", name="Create and deploy").click()
    expect(page.locator("form > .problem")).to_contain_text("Towline does not answer.")
    page.unroute("**/uploads/*")
    page.get_by_role("button", name="Create and deploy").click()
    page.wait_for_url("**/deployments/*")
    expect(page.locator("#deployment-part .state").first).to_have_class("state good")


def test_times_go_on_while_a_page_is_open(context: BrowserContext, towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    page = context.new_page()
    account = add_user(towline, is_administrator=True)
    page.clock.install()
    sign_in(page, towline.api_url, account, f"/projects/{project}/members")
    joined = page.locator("#members-part time").first
    expect(joined).to_have_text(re.compile(r"^\d+ (s|min) ago$"))
    page.clock.fast_forward("03:00:00")
    expect(joined).to_have_text(re.compile(r"^3 h ago$"))


def _set(towline: RunningTowline, project: str, name: str) -> None:
    variables = [{"name": name, "value": "yes"}]
    towline.client.variables.set(project, VariablesSet.model_validate({"service": "web", "variables": variables}))
