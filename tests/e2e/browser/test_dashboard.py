"""The dashboard in a real browser: to a live address, seen live by two people, by roles, and by axe-core."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.e2e.browser.details import serve_repositories
from tests.e2e.browser.gallery import SHUT, fill
from tests.e2e.browser.people import add_user, sign_in
from tests.e2e.parts import BASE, app, start_deployment, succeeded
from tests.running import RunningTowline, tar_of

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(300)]
_AXE: Final = Path(__file__).parent / "axe"
_WAIT: Final = 90_000
_FOUND: Final = "#palette-list li"
_HASH: Final = """size => import("/_towline/assets/sha256.js").then(({ Sha256 }) => {
    const hash = new Sha256();
    hash.update(new Uint8Array(size).fill(97));
    return hash.hex();
})"""


@pytest.fixture
def other(browser: Browser) -> Iterator[BrowserContext]:
    """Another person's browser."""
    context = browser.new_context()
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """The text of axe-core, installed once per lock file."""
    digest = hashlib.sha256((_AXE / "package-lock.json").read_bytes()).hexdigest()[:16]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "towline-tests"
    folder = base / f"axe-{digest}"
    if not folder.exists():
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base) as temporary:
            draft = Path(temporary) / "axe"
            shutil.copytree(_AXE, draft)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=draft, check=True, capture_output=True, timeout=120)
            draft.rename(folder)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def faults_of(page: Page) -> list[str]:
    """What goes wrong in a page from now on."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    return faults


def test_a_new_user_gets_from_an_empty_page_to_a_live_address(
    context: BrowserContext, towline: RunningTowline, project: str, tmp_path: Path
) -> None:
    page, archive = context.new_page(), tmp_path / "app.tar"
    archive.write_bytes(tar_of(app("hello from the dashboard")))
    faults = faults_of(page)
    sign_in(page, towline.api_url, add_user(towline))
    expect(page.get_by_text("Nothing runs here yet")).to_be_visible()
    page.get_by_label("Project", exact=True).fill(project)
    page.get_by_label("Service", exact=True).fill("web")
    page.get_by_label("Upload").check()
    page.locator("input[type=file]").set_input_files(archive)
    page.get_by_role("button", name="Create and deploy").click()
    expect(page.locator("#deployment-part .big")).to_have_text("Live", timeout=_WAIT)
    link = page.locator("#deployment-part .hosts a")
    for size in (0, 55, 56, 64, 1000):
        assert page.evaluate(_HASH, size) == hashlib.sha256(b"a" * size).hexdigest()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill(f"{project} web log")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{towline.api_url}/projects/{project}/services/web/log")
    page.go_back()
    assert "hello from the dashboard" in towline.get(link.inner_text().partition(":")[0]).text
    expect(page.locator(".log li").filter(has_text="switch").or_(page.locator(".log li")).first).to_be_visible()
    assert faults == []


def test_a_deployment_is_seen_live_by_two_and_only_one_may_act(
    context: BrowserContext, other: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    found = towline.client.projects.get(project)
    ann, bob = context.new_page(), other.new_page()
    faults = [faults_of(page) for page in (ann, bob)]
    service = f"/projects/{project}/services/web"
    sign_in(ann, towline.api_url, add_user(towline, project=found.id, role="developer"), service)
    sign_in(bob, towline.api_url, add_user(towline, project=found.id, role="viewer"), service)
    expect(ann.get_by_role("link", name="Deploy", exact=True)).to_be_visible()
    expect(bob.locator("main form, main button:not([data-copy])")).to_have_count(0)
    expect(bob.get_by_text("You are viewer here")).to_be_visible()

    talk = f"for n in 1 2 3; do echo {project} line $n; sleep 1; done"  # by that name, no cache has it
    files = app("hello", more=f'RUN ["/bin/sh", "-c", "{talk}"]')
    deployment = start_deployment(towline, project, files)
    for page in (ann, bob):
        expect(page.get_by_text("A deployment is under way")).to_be_visible()
        page.goto(f"{towline.api_url}/deployments/{deployment}")
    expect(ann.get_by_role("button", name="Cancel")).to_be_visible()
    for page in (ann, bob):
        expect(page.locator("#deployment-part .big")).to_have_text("Live", timeout=_WAIT)
        for number in (1, 2, 3):
            expect(page.locator(".log li").filter(has_text=f"{project} line {number}").last).to_be_visible()
    expect(bob.locator("main form")).to_have_count(0)
    numbers = [page.locator(".log li").count() for page in (ann, bob)]
    assert numbers[0] == numbers[1] > 0
    ann.goto(towline.api_url + service)
    ann.get_by_role("spinbutton", name="Instances").fill("2")
    ann.get_by_role("button", name="Scale").click()
    bob.goto(towline.api_url + service)
    expect(bob.locator("#status-part").get_by_text("of 2", exact=True)).to_be_visible()
    assert faults == [[], []]


def test_the_palette_finds_deployments_and_does_what_can_be_done_at_once(
    context: BrowserContext, other: BrowserContext, towline: RunningTowline, project: str
) -> None:
    expect.set_options(timeout=30_000)
    towline.create_service(project)
    deployment = succeeded(towline.deploy_files(project, app("hello")))
    found = towline.client.projects.get(project)
    page, of_viewer = context.new_page(), other.new_page()
    sign_in(page, towline.api_url, add_user(towline, project=found.id, role="developer"))
    sign_in(of_viewer, towline.api_url, add_user(towline, project=found.id, role="viewer"))
    for one, acts in ((page, 1), (of_viewer, 0)):
        _search(one, f"{project} web #1")
        expect(one.locator(_FOUND)).to_have_count(1)
        expect(one.locator(_FOUND)).to_have_attribute("data-href", f"/deployments/{deployment.id}")
        one.get_by_role("combobox").fill(f"restart {project}")
        expect(one.locator(_FOUND, has_text=f"Restart {project} / web")).to_have_count(acts)
        one.get_by_role("combobox").fill(f"invite {project}")
        expect(one.get_by_text("Nothing of that name.")).to_be_visible()
    page.get_by_role("combobox").fill(f"restart {project}")
    instance = towline.client.services.get_status(project, "web").instances[0].id
    page.keyboard.press("Enter")
    page.wait_for_url(f"{towline.api_url}/projects/{project}/services/web")
    expect(page.locator(f"#{instance}")).to_have_count(0, timeout=_WAIT)
    _search(page, f"roll {project} web")
    expect(page.locator(_FOUND).first).to_have_text(f"Roll back {project} / web")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{towline.api_url}/projects/{project}/services/web/releases#main")


def test_the_palette_searches_services_of_projects_that_it_has_not_loaded(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    expect.set_options(timeout=30_000)
    towline.create_service(project)
    page = context.new_page()
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True))
    page.route("**/api/v1/projects?*", lambda route: route.fulfill(json={"items": [], "next_cursor": None}))
    _search(page, f"{project} web log")
    expect(page.locator(_FOUND)).to_have_text([f"{project} / web / log"])
    page.get_by_role("combobox").fill(f"restart {project}")
    expect(page.locator(_FOUND)).to_have_text([f"Restart {project} / web"])
    page.get_by_role("combobox").fill(f"{project} none-of-these")
    expect(page.get_by_text("Nothing of that name.")).to_be_visible()


def _search(page: Page, words: str) -> None:
    expect(page.get_by_role("button", name="Go to")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill(words)


def test_a_link_that_is_shown_once_outlives_the_renewal_of_its_page(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    page = context.new_page()
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), f"/projects/{project}/members")
    page.get_by_label("E-mail address").fill("kim@example.com")
    page.get_by_role("button", name="Invite").click()
    link = page.locator("#made code")
    expect(link).to_contain_text("/invitation/")
    found = towline.client.projects.get(project)
    account = add_user(towline, project=found.id, role="viewer")
    expect(page.locator("#members-part")).to_contain_text(account.email)
    expect(link).to_contain_text("/invitation/")
    page.get_by_role("button", name="Revoke the invitation of kim@example.com").click()
    expect(page.locator("#invitations-part")).to_have_count(0)


def test_where_websockets_are_blocked_a_page_says_so_and_asks_by_itself(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    page = context.new_page()
    page.route_web_socket("**/api/v1/ws", lambda socket: socket.close())
    towline.create_service(project)
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), f"/projects/{project}/services/web")
    expect(page.get_by_text("Reconnecting…")).to_be_visible(timeout=20_000)
    page.locator("body").evaluate("body => { body.dataset.untouched = 'yes' }")
    deployment = start_deployment(towline, project, app("hello"))
    expect(page.locator("#status-part")).to_contain_text("Healthy", timeout=_WAIT)
    assert page.locator("body").get_attribute("data-untouched") == "yes"
    page.goto(f"{towline.api_url}/deployments/{deployment}")
    expect(page.locator(".log li").last).to_contain_text("Done.")


def test_without_scripts_pages_read_and_forms_post(browser: Browser, towline: RunningTowline, project: str) -> None:
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    sign_in(page, towline.api_url, add_user(towline))
    page.get_by_label("Project", exact=True).fill(project)
    page.get_by_label("Service", exact=True).fill("web")
    page.locator("input[value=image]").check()
    page.get_by_label("Image", exact=True).last.fill(BASE)
    page.get_by_role("button", name="Create and deploy").click()
    page.wait_for_url("**/deployments/*")
    expect(page.get_by_role("heading", name="web")).to_be_visible()
    page.goto(f"{towline.api_url}/projects/{project}/services/web/variables")
    page.get_by_label("Name", exact=True).fill("GREETING")
    page.get_by_label("Value").fill("hello")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#var-GREETING")).to_contain_text("hello")
    page.get_by_label("Name", exact=True).fill("LOST")
    page.get_by_label("As a file").fill("no path")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("p:has(#mount_path) + .problem")).to_contain_text("As a file at: ")
    expect(page.get_by_label("Name", exact=True)).to_have_value("LOST")
    expect(page.get_by_label("As a file")).to_have_value("no path")
    expect(page.get_by_label("As a file")).to_be_focused()
    page.get_by_label("As a file").fill("")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#var-LOST")).to_be_visible()
    plain.close()


@pytest.mark.timeout(600)
def test_axe_finds_nothing_serious_and_hostile_text_stays_text(
    context: BrowserContext, towline: RunningTowline, project: str, axe: str
) -> None:
    page = context.new_page()
    faults = faults_of(page)
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True))
    with serve_repositories() as platform:
        found = _look_at_all(page, towline, axe, fill(towline, project, platform))
    shut = context.browser.new_context().new_page() if context.browser else page
    found |= _look_at_all(shut, towline, axe, SHUT)
    shut.context.close()
    wrong = "\n".join(f"{name}: {fault}" for name, faults in found.items() for fault in faults)
    assert not wrong, wrong
    assert [fault for fault in faults if "404" not in fault] == []


def _look_at_all(page: Page, towline: RunningTowline, axe: str, pages: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong with each of the pages, by name."""
    return {name: _look(page, towline.api_url + path, axe) for name, path in pages.items()}


def _look(page: Page, url: str, axe: str) -> list[str]:
    """What is wrong with a page: axe's serious findings, sideways overflow on a phone, markup that came alive."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(url)
    page.evaluate(axe)
    wrong = [
        f"{found['id']} {[node['target'] for node in found['nodes']]}"
        for found in page.evaluate("axe.run().then(result => result.violations)")
        if found["impact"] in {"serious", "critical"}
    ]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        wrong.append("it is too wide for a phone")
    if page.title() == "owned" or page.locator("main img[src=x]").count():
        wrong.append("hostile text came alive")
    if "do-not-show-this" in page.content():
        wrong.append("a secret is shown")
    return wrong
