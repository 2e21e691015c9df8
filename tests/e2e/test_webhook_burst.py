"""A burst of webhooks while the worker and Redis are killed: what was acknowledged is worked on, each once."""

import hashlib
import hmac
import json
import os
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.running import RunningTowline, running_towline, wait_for

from towline.contract.base import PageQuery
from towline.contract.deployments import DeploymentQuery
from towline.contract.hooks import HookCreate, HookDelivery, NewHook
from towline.contract.services import ServiceUpdate
from towline.contract.sources import ServiceSource
from towline.supervise.layout import Layout
from towline.supervise.status import find_status

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(300)]
_DELIVERIES = 240
_SENDERS = 6
_DEPLOYED = 8
_ADDRESS = "https://git.invalid/acme/shop.git"


def send(http: httpx2.Client, path: str, secret: str, number: int) -> None:
    """Deliver a push again and again until it is acknowledged, as platforms do."""
    branch = "main" if number < _DEPLOYED else f"topic-{number}"
    body = json.dumps(
        {
            "ref": f"refs/heads/{branch}",
            "after": f"{number + 1:040x}",
            "commits": [],
            "repository": {"clone_url": _ADDRESS, "default_branch": "main"},
        }
    ).encode()
    headers = {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": f"delivery-{number}",
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }

    def is_taken() -> bool:
        try:
            return http.post(path, content=body, headers=headers).status_code == 202
        except httpx2.HTTPError:
            return False

    wait_for(is_taken, timeout=120)


def kill(towline: RunningTowline, part: str) -> None:
    """kill -9 a part of Towline, which its supervisor starts again."""
    status = find_status(Layout(towline.folder).status_file)
    assert status is not None
    os.kill(status.parts[part].process_id, signal.SIGKILL)


def list_deliveries(towline: RunningTowline, hook: NewHook) -> list[HookDelivery]:
    """All of them."""
    found: list[HookDelivery] = []
    query = PageQuery(limit=100)
    while True:
        page = towline.client.hooks.list_deliveries("shop", hook.id, query)
        found += page.items
        if page.next_cursor is None:
            return found
        query = PageQuery(limit=100, cursor=page.next_cursor)


def test_no_delivery_is_lost_or_doubled_when_worker_and_redis_are_killed() -> None:
    with running_towline(TOWLINE_PROCESSES="separate", TOWLINE_LEASE="PT3S") as towline:
        towline.create_service("shop")
        source = ServiceSource(type="git", config={"url": _ADDRESS, "branch": "main"})
        towline.client.services.update("shop", "web", ServiceUpdate(source=source))
        hook = towline.client.hooks.create("shop", HookCreate(source="github", repository=_ADDRESS))
        towline.bypass_router()
        path = urlsplit(hook.url).path
        acknowledged = threading.Semaphore(0)

        def deliver(first: int) -> None:
            with httpx2.Client(base_url=towline.api_url, timeout=30, trust_env=False) as http:
                for number in range(first, _DELIVERIES, _SENDERS):
                    send(http, path, hook.secret, number)
                    acknowledged.release()
                    if number % 4 == 0:
                        send(http, path, hook.secret, number)

        with ThreadPoolExecutor(_SENDERS) as senders:
            sent = [senders.submit(deliver, first) for first in range(_SENDERS)]
            for part in ("worker", "valkey"):
                for _ in range(_DELIVERIES // 4):
                    assert acknowledged.acquire(timeout=120)
                kill(towline, part)
            for one in sent:
                one.result()

        def all_worked_on() -> list[HookDelivery] | None:
            found = list_deliveries(towline, hook)
            return None if any(one.status == "queued" for one in found) else found

        deliveries = wait_for(all_worked_on, timeout=120, interval=0.5)
        assert len(deliveries) == _DELIVERIES
        outcomes = Counter(one.status for one in deliveries)
        assert outcomes == {"done": _DEPLOYED, "ignored": _DELIVERIES - _DEPLOYED}
        asked_for = [deployment for one in deliveries for deployment in one.deployments]
        assert len(asked_for) == len(set(asked_for)) == _DEPLOYED
        made = [item.id for item in towline.client.deployments.list(DeploymentQuery(project="shop", limit=100)).items]
        assert sorted(made) == sorted(asked_for)
