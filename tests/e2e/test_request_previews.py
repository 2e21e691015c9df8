"""From a real push over the signed webhook of its pull request to a preview that answers, and to nothing left of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import QUICK
from tests.e2e.parts import app, containers_of, environment_of, succeeded
from tests.e2e.requests_platform import GitPlatform, running_platform
from tests.e2e.traces import images_of, traces
from tests.running import RunningTowline, running_towline, wait_for
from tests.sources.certificates import write_certificate

from towline.contract.deployments import DeployRequest
from towline.contract.hooks import HookCreate
from towline.contract.previews import Preview, PreviewRules
from towline.contract.services import ServiceUpdate
from towline.contract.sources import ServiceSource
from towline.contract.variables import VariablesSet, VariableValue
from towline.errors import NotFound
from towline.values import DeploymentStatus

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(420)]
_PATIENCE = 180


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the git server."""
    return write_certificate(tmp_path_factory.mktemp("certificate") / "certificate.pem")


@pytest.fixture(scope="module")
def towline(base_image: str, certificate: Path) -> Iterator[RunningTowline]:
    """A Towline that trusts the git server."""
    del base_image  # what the apps start from
    with running_towline(**QUICK, GIT_SSL_CAINFO=str(certificate)) as running:
        yield running


@pytest.fixture
def shop(towline: RunningTowline, project: str, certificate: Path, tmp_path: Path) -> Iterator[GitPlatform]:
    """A repository that a project's service is built from: pushes to main deploy it, requests get previews."""
    with running_platform(tmp_path, certificate) as running:
        towline.create_service(project)
        source = ServiceSource(type="git", config={"url": running.repository_url, "branch": "main"})
        towline.client.services.update(project, "web", ServiceUpdate(source=source))
        towline.client.previews.update_rules(project, PreviewRules(pull_requests=True))
        hook = towline.client.hooks.create(project, HookCreate(source="github", repository=running.repository_url))
        towline.secrets.values.add(hook.secret)
        platform = running.connect(hook)
        platform.tell_of_push("main", platform.push("main", app("production")))
        _wait_for_page(towline, f"web-{project}", "production")
        yield platform


def _wait_for_page(towline: RunningTowline, label: str, wanted: str) -> None:
    wait_for(lambda: towline.get(f"{label}.localhost").text == wanted or None, timeout=_PATIENCE, interval=0.2)


def _wait_for_preview(towline: RunningTowline, project: str, name: str, revision: str) -> Preview:
    """The preview once it is at a commit."""

    def look() -> Preview | None:
        try:
            preview = towline.client.previews.get(project, name)
        except NotFound:
            return None
        return preview if preview.head_revision == revision else None

    return wait_for(look, timeout=_PATIENCE, interval=0.2)


def _succeeded(towline: RunningTowline, preview: Preview) -> Preview:
    assert preview.group is not None
    ended = towline.client.groups.wait(preview.project, preview.group, timeout=_PATIENCE)
    assert ended.status is DeploymentStatus.SUCCESS, ended
    return preview


def _variables(project: str, environment: str) -> dict[str, str]:
    """What the instance of an environment was given."""
    found = [environment_of(container) for container in containers_of(project)]
    return next(one for one in reversed(found) if one["TOWLINE_ENVIRONMENT"] == environment)


def test_a_request_has_a_live_preview_that_follows_its_pushes_until_it_is_closed(
    towline: RunningTowline, project: str, shop: GitPlatform
) -> None:
    images, containers = images_of(project), set(containers_of(project, all_states=True))
    for action, text in (("opened", "cart 1"), ("synchronize", "cart 2")):
        revision = shop.push("cart", app(text))
        shop.tell_of_request(action, 7, revision, branch="cart")
        preview = _succeeded(towline, _wait_for_preview(towline, project, "pr-7", revision))
        _wait_for_page(towline, f"{project}-pr-7", text)
        assert preview.url is not None
        assert f"//{project}-pr-7.localhost" in preview.url
    assert towline.get(f"web-{project}.localhost").text == "production"
    assert all(traces(towline, preview)[kind] for kind in ("containers", "networks", "routes", "rows"))

    shop.tell_of_request("closed", 7, revision, branch="cart")
    wait_for(lambda: not any(traces(towline, preview).values()) or None, timeout=_PATIENCE, interval=0.5)
    wait_for(lambda: images_of(project) == images or None, timeout=_PATIENCE, interval=0.5)
    wait_for(lambda: set(containers_of(project, all_states=True)) == containers or None, timeout=_PATIENCE)
    assert towline.client.previews.list(project).items == []
    assert towline.get(f"web-{project}.localhost").text == "production"


def test_a_forks_request_waits_for_its_approval_and_never_gets_secrets_of_production(
    towline: RunningTowline, project: str, shop: GitPlatform
) -> None:
    secret, plain = VariableValue(name="KEY", value="of production", is_secret=True), VariableValue(name="A", value="1")
    towline.client.variables.set(project, VariablesSet(variables=[secret, plain]))
    of_previews = [VariableValue(name="MODE", value="preview")]
    towline.client.variables.set(project, VariablesSet(previews=True, variables=of_previews))
    deployment = towline.client.services.deploy(project, "web", DeployRequest())
    succeeded(towline.client.wait_for_deployment(deployment.id, timeout=_PATIENCE))
    wait_for(lambda: _variables(project, "production").get("KEY"), timeout=_PATIENCE)
    revision = shop.push("gift", app("from a stranger"), to="fork")
    shop.tell_of_request("opened", 8, revision, branch="gift", is_fork=True)
    waiting = _wait_for_preview(towline, project, "pr-8", revision)
    assert (waiting.state, waiting.group, waiting.is_fork) == ("waiting", None, True)
    assert towline.get(f"{project}-pr-8.localhost").text != "from a stranger"

    approved = towline.client.previews.approve(project, "pr-8", revision)
    assert approved.state == "active"
    _succeeded(towline, _wait_for_preview(towline, project, "pr-8", revision))
    _wait_for_page(towline, f"{project}-pr-8", "from a stranger")
    given = _variables(project, "pr-8")
    assert given["MODE"] == "preview"
    assert not {"KEY", "A"} & set(given)

    newer = shop.push("gift", app("something else"), to="fork")
    shop.tell_of_request("synchronize", 8, newer, branch="gift", is_fork=True)
    assert _wait_for_preview(towline, project, "pr-8", newer).state == "waiting"
    assert towline.get(f"{project}-pr-8.localhost").text == "from a stranger"
