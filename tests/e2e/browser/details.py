"""What has pages of its own inside a project and the instance, for pictures and for looking at each page."""

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import httpx2
from tests.e2e.parts import BASE, app, command_app, succeeded
from tests.running import RunningTowline

from towline.client.transport import LocalhostTransport
from towline.contract.backups import BackupRestore
from towline.contract.connections import ConnectionCreate
from towline.contract.deployments import DeployRequest
from towline.contract.groups import GroupDeploy, GroupService
from towline.contract.hooks import HookCreate
from towline.contract.identities import IdentityProviderCreate
from towline.contract.notifications import NotificationChannelCreate
from towline.contract.previews import PreviewCreate
from towline.contract.runs import RunQuery

_PATIENCE: Final = 120
_RESTORE: Final = ["sh", "-c", "cat >/data/orders"]
_KEEPING: Final = {
    "source": {"type": "custom", "config": {"image": BASE}},
    "start_command": ["sh", "-c", "echo 14 orders >/data/orders; exec sleep 100000"],
    "volumes": [{"name": "orders", "path": "/data"}],
    "backup": {"command": ["cat", "/data/orders"], "restore_command": _RESTORE, "schedule": "30 3 * * *"},
}


def add_details(towline: RunningTowline, project: str, platform: str, named: str) -> dict[str, str]:
    """Make one of each in a project with the services store, api and web; the addresses of their pages by name.

    `platform` is the address of a git platform's API, `named` what channels are called.
    """
    root = f"/projects/{project}"
    _add_provider(towline)
    group = _deploy_together(towline, project)
    preview = _preview(towline, project)
    backup, restore = _backup(towline, project)
    return {
        "group": f"{root}/groups/{group}",
        "preview": f"{root}/previews/{preview}",
        "preview-service": f"{root}/services/web?environment=new-cart",
        "cron": f"{root}/services/report",
        "cron-runs": f"{root}/services/report/runs",
        "cron-run": f"{root}/services/report/runs/{_run(towline, project)}",
        "backup": f"{root}/backups/{backup}",
        "restore": f"{root}/restores/{restore}",
        "hook": f"{root}/hooks/{_hook(towline, project)}",
        "connection": f"{root}/connections/{_connection(towline, project, platform)}",
        "channel": f"{root}/notifications/{_channel(towline, project, named)}",
        "instance-channel": f"/instance/notifications/{_channel(towline, None, f'{named[:60]} of {project}')}",
        "instance-provider": "/instance/providers/company",
    }


@contextmanager
def serve_repositories() -> Generator[str]:
    """A git platform's API that knows two repositories; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._say(201, {"id": 42})

        def do_GET(self) -> None:
            names = ("acme/shop", "acme/warehouse-and-everything-that-is-delivered-from-it")
            found = [{"full_name": name, "clone_url": f"https://github.com/{name}.git"} for name in names]
            self._say(200, [{**one, "default_branch": "main"} for one in found])

        def _say(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            del code, size  # said by nobody

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _deploy_together(towline: RunningTowline, project: str) -> str:
    uploads = {name: towline.upload(project, app(f"hello again from {name}")) for name in ("store", "api", "web")}
    services = [GroupService(service=name, upload=upload) for name, upload in uploads.items()]
    group = towline.client.groups.deploy(project, GroupDeploy(services=services))
    return towline.client.groups.wait(project, group.id, timeout=_PATIENCE).id


def _preview(towline: RunningTowline, project: str) -> str:
    upload = towline.upload(project, app("a new cart"))
    wanted = PreviewCreate(
        name="new-cart",
        title="A cart that remembers what was in it",
        scope="service",
        main="web",
        services=[GroupService(service="web", upload=upload)],
    )
    preview = towline.client.previews.create(project, wanted)
    if preview.group is not None:
        towline.client.groups.wait(project, preview.group, timeout=_PATIENCE)
    return preview.id


def _run(towline: RunningTowline, project: str) -> str:
    """A run of a cron service that failed, after one that did not."""
    towline.create_service(project, "report", type="cron", schedule="0 6 * * 1-5", time_zone="Europe/Berlin")
    for code in (0, 7):
        words = "; ".join(f"echo {line}" for line in ("Counting orders", "14 orders since yesterday"))
        succeeded(towline.deploy_files(project, command_app(f"{words}; exit {code}"), service="report"))
        run = towline.client.runs.run_now(project, "report")
        towline.client.runs.wait(project, "report", run.id)
    return towline.client.runs.list(project, "report", RunQuery(limit=1)).items[0].id


def _backup(towline: RunningTowline, project: str) -> tuple[str, str]:
    """A dump of a service with a volume, and what became of restoring it."""
    towline.create_service(project, "orders", type="worker", **_KEEPING)
    deployment = towline.client.services.deploy(project, "orders", DeployRequest())
    succeeded(towline.client.wait_for_deployment(deployment.id, timeout=_PATIENCE))
    dump = towline.client.backups.create(project, "orders")
    towline.client.backups.wait_for(project, dump.id, timeout=_PATIENCE)
    restore = towline.client.backups.restore(project, dump.id, BackupRestore(name="orders-again"))
    towline.client.backups.wait_for_restore(project, restore.id, timeout=_PATIENCE)
    return dump.id, restore.id


def _connection(towline: RunningTowline, project: str, platform: str) -> str:
    connections = towline.client.connections
    connections.create(ConnectionCreate(platform="gitlab", secret="not-a-token", owner="acme/shops"))
    wanted = ConnectionCreate(platform="github", project=project, secret="not-a-token", owner="acme", api_url=platform)
    return connections.create(wanted).id


def _hook(towline: RunningTowline, project: str) -> str:
    """A connected repository that told of a push."""
    wanted = {"source": "github", "repository": "https://github.com/acme/shop.git", "rules": [{"branch": "main"}]}
    hook = towline.client.hooks.create(project, HookCreate.model_validate(wanted))
    towline.secrets.values.add(hook.secret)
    repository = {"id": 1, "clone_url": "https://github.com/acme/shop.git", "default_branch": "main"}
    push = {"ref": "refs/heads/main", "before": "0" * 40, "after": "5f3c" * 10, "sender": {"login": "ada"}}
    body = json.dumps({**push, "repository": repository, "head_commit": {"message": "Count orders once"}}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": secrets.token_hex(16),
        "X-Hub-Signature-256": "sha256=" + hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    with httpx2.Client(transport=LocalhostTransport(), timeout=60) as client:
        assert client.post(hook.url, content=body, headers=headers).status_code == 202
    return hook.id


def _channel(towline: RunningTowline, project: str | None, name: str) -> str:
    wanted = {"project": project, "name": name, "kind": "email", "address": "kim@example.com"}
    return towline.client.notifications.create_channel(NotificationChannelCreate.model_validate(wanted)).id


def _add_provider(towline: RunningTowline) -> None:
    """Sign-in by a company's own provider, unless it is there."""
    providers = towline.client.identity_providers
    if not providers.list().items:
        given = {"issuer": "http://127.0.0.1:9/company", "client_id": "towline", "client_secret": "not-a-secret"}
        wanted = {"name": "company", "kind": "oidc", "title": "Company", **given}
        providers.create(IdentityProviderCreate.model_validate(wanted))
