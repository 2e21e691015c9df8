"""The bundled example, deployed once, at the very first start."""

import time
from collections.abc import Callable

from towline.client import TowlineClient
from towline.contract.deployments import Deployment
from towline.errors import BuildFailed, Unavailable
from towline.infra.example import BUSYBOX, EXAMPLE, is_static
from towline.supervise.installation import Installation
from towline.supervise.packages import can_install_packages, install_packages
from towline.supervise.probes import answers_http

_DEPLOY_SECONDS = 180
_COMEBACK_SECONDS = 3.0


def deploy_example(*, api_url: str, api_key: str, report: Callable[[str], None]) -> str:
    """Deploy the example and return its address.

    Raises Unavailable when its program cannot be had here, and what the deployment itself failed with.
    """
    if not is_static(BUSYBOX) and can_install_packages():
        install_packages(["busybox-static"], report=report)
    with TowlineClient(api_url, api_key) as client:
        deployment = client.projects.create_example()
        finished = client.wait_for_deployment(deployment.id, timeout=_DEPLOY_SECONDS)
    return _url_of(finished)


def find_example(installation: Installation) -> str:
    """Address of the example when it still answers there (after a moment, if it has to be started again), or empty."""
    host = f"{EXAMPLE}.{installation.base_domain}"
    deadline = time.monotonic() + _COMEBACK_SECONDS
    while not answers_http(installation.ports.http, "/", server_name=host):
        if time.monotonic() > deadline:
            return ""
        time.sleep(0.1)
    return installation.url_of(host)


def _url_of(deployment: Deployment) -> str:
    if deployment.error is not None:
        raise BuildFailed(
            f"The example could not be deployed: {deployment.error.message}",
            hint=deployment.error.hint or f"Read `towline logs --deployment {deployment.id}`.",
        )
    if not deployment.urls:
        raise Unavailable(f"The example's deployment ended as {deployment.status} without an address.")
    return deployment.urls[0]
