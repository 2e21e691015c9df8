"""A Towline on the user's own PostgreSQL, Redis, registry and certificate authority instead of the usual ones."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from socket import create_connection

import pytest
from cryptography import x509
from tests.e2e.conftest import QUICK
from tests.e2e.parts import app, docker, failed, host_of, log_of, succeeded
from tests.e2e.registry import Registry, running_registry
from tests.e2e.servers import running_postgres, running_redis
from tests.ports import free_port
from tests.routing.authority import running_authority
from tests.running import Place, RunningTowline, running_towline, wait_for

from towline.contract.registries import RegistryCreate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The registry that built images are pushed to."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def towline(tmp_path_factory: pytest.TempPathFactory, registry: Registry, base_image: str) -> Iterator[RunningTowline]:
    """A Towline that runs neither a database nor a Redis, pushes images, and asks Pebble for certificates."""
    folder, http_port = tmp_path_factory.mktemp("own"), free_port()
    with ExitStack() as stack:
        authority = stack.enter_context(running_authority(folder, http_port=http_port))
        settings: dict[str, str] = {
            **QUICK,
            **authority.environment,
            "TOWLINE_DATABASE_URL": stack.enter_context(running_postgres()),
            "TOWLINE_REDIS_URL": stack.enter_context(running_redis(folder)),
            "TOWLINE_REGISTRY_REPOSITORY": f"{registry.address}/towline",
            "TOWLINE_ACME_EMAIL": "ops@example.com",
            "TOWLINE_ACME_DIRECTORY_URL": authority.directory_url,
        }
        running = stack.enter_context(running_towline(Place(http_port), **settings))
        running.bypass_router()
        running.client.registries.create(
            RegistryCreate(host=registry.address, username=registry.username, password=registry.password)
        )
        yield running


def _names_in_certificate(towline: RunningTowline, host: str) -> list[str]:
    """The names in the certificate that is served for a host, and who signed it last."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        create_connection(("127.0.0.1", towline.https_port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        certificate = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    issuer = certificate.issuer.rfc4514_string()
    return [*names.get_values_for_type(x509.DNSName), "by pebble" if "Pebble" in issuer else issuer]


def test_no_embedded_servers_run(towline: RunningTowline) -> None:
    assert not (towline.folder / "postgres").exists()
    assert not (towline.folder / "valkey").exists()
    for name in ("supervisor.log", "api.log", "worker.log", "traefik.log"):
        log = towline.folder / "logs" / name
        text = log.read_text() if log.exists() else ""
        assert "p%40ss" not in text
        assert "secret-of-redis" not in text


def test_deployments_work_and_built_images_are_pushed(
    towline: RunningTowline, registry: Registry, project: str
) -> None:
    towline.create_service(project)
    deployment = succeeded(towline.deploy_files(project, app("pushed")))
    assert towline.get(host_of(deployment)).headers.get("location", "").startswith("https://") or (
        towline.get(host_of(deployment)).text == "pushed"
    )
    assert f"towline/{project}-web" in registry.repositories()
    pushed = [line for line in log_of(towline, deployment.id).splitlines() if line.startswith("Pushed as ")]
    assert "@sha256:" in pushed[-1]
    assert registry.password not in log_of(towline, deployment.id)
    docker("image", "rm", "--force", pushed[-1].removeprefix("Pushed as "))


def test_a_custom_domain_gets_a_certificate_and_redirects(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("safe")))
    domain = f"www.{project}.example.com"
    added = towline.command("domains", "add", domain, "-p", project, "-s", "web", "--json")
    assert added.returncode == 0, added.stderr
    wait_for(lambda: _names_in_certificate(towline, domain) == [domain, "by pebble"], timeout=40)
    answer = wait_for(lambda: found if (found := towline.get(domain, "/x?y")).is_redirect else None)
    assert answer.status_code in {301, 302, 307, 308}
    assert answer.headers["location"] == f"https://{domain}:{towline.https_port}/x?y"

    def find_route() -> object:
        routes = towline.client.routes.list(project, "web").items
        return next((route for route in routes if route.host == domain and route.certificate == "valid"), None)

    wait_for(find_route)
    route = next(route for route in towline.client.routes.list(project, "web").items if route.host == domain)
    assert route.url == f"https://{domain}:{towline.https_port}"
    assert route.certificate_problem == ""


def test_a_push_that_is_refused_fails_the_deployment_with_the_reason(
    towline: RunningTowline, registry: Registry, project: str
) -> None:
    towline.create_service(project)
    wrong = RegistryCreate(host=registry.address, project=project, username="ann", password="guessed")
    towline.client.registries.create(wrong)
    text = failed(towline.deploy_files(project, app("never")), "image-not-found")
    assert registry.address in text
    assert "guessed" not in text


@pytest.fixture
def project(towline: RunningTowline) -> Iterator[str]:
    """The name of a project that is deleted afterwards."""
    name = f"own{free_port()}"
    yield name
    towline.client.projects.delete(name)
