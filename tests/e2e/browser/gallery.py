"""A Towline with something on every page of the dashboard, for pictures and for looking at each page."""

from tests.e2e.parts import app, command_app
from tests.running import RunningTowline

from towline.contract.environments import EnvironmentCreate
from towline.contract.hooks import HookCreate
from towline.contract.notifications import NotificationChannelCreate
from towline.contract.projects import ProjectCreate
from towline.contract.services import ServiceCreate
from towline.contract.variables import VariablesSet

_OF_PROJECT = (
    "previews",
    "hooks",
    "variables",
    "backups",
    "catalogue",
    "catalogue/postgresql",
    "groups",
    "notifications",
    "connections",
    "registries",
    "file",
)
_OF_SERVICE = ("releases", "runs", "variables/compare", "variables/file", "webhook-secrets")
_OF_INSTANCE = (
    "users",
    "providers",
    "variables",
    "connections",
    "registries",
    "notifications",
    "mail",
    "secrets",
    "audit",
)
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)> \u202egnirts diar \u202c" + "w" * 200


def fill(towline: RunningTowline, project: str) -> dict[str, str]:
    """Three services that need each other, a failed deployment, variables; the addresses of the pages by name."""
    client = towline.client
    client.projects.create(ProjectCreate(name=project, description=HOSTILE[:250]))
    client.environments.create(project, EnvironmentCreate(name="staging"))
    for name in ("store", "api", "web"):
        client.services.create(project, ServiceCreate(name=name))
    client.dependencies.set(project, "api", "store", cascade=False)
    client.dependencies.set(project, "web", "api", cascade=True)
    hook = {"source": "github", "repository": "https://github.com/acme/shop.git", "rules": [{"branch": "main"}]}
    client.hooks.create(project, HookCreate.model_validate(hook))
    channel = {"project": project, "name": HOSTILE[:80], "kind": "email", "address": "kim@example.com"}
    client.notifications.create_channel(NotificationChannelCreate.model_validate(channel))
    variables = [
        {"name": "GREETING", "value": HOSTILE},
        {"name": "LONG", "value": "0123456789" * 1000},
        {"name": "TOKEN", "value": "do-not-show-this", "is_secret": True},
    ]
    client.variables.set(project, VariablesSet.model_validate({"service": "web", "variables": variables}))
    for name in ("store", "api"):
        towline.deploy_files(project, app(f"hello from {name}"), service=name)
    served = towline.deploy_files(project, app("hello"), service="web")
    broken = towline.deploy_files(project, command_app("echo Cannot open the config >&2; exit 3"), service="web")
    return pages_of(project, served=served.id, broken=broken.id)


def pages_of(project: str, *, served: str, broken: str) -> dict[str, str]:
    """The addresses of the pages by name."""
    web = f"/projects/{project}/services/web"
    return {
        "home": "/",
        "project": f"/projects/{project}",
        "project-settings": f"/projects/{project}/settings",
        "members": f"/projects/{project}/members",
        "audit": f"/projects/{project}/audit",
        "service": web,
        "service-deployments": f"{web}/deployments",
        "service-deploy": f"{web}/deploy",
        "service-log": f"{web}/log",
        "service-variables": f"{web}/variables",
        "service-domains": f"{web}/domains",
        "service-settings": f"{web}/settings",
        "deployment": f"/deployments/{served}",
        "deployment-failed": f"/deployments/{broken}",
        "keys": "/account/keys",
        "sessions": "/account/sessions",
        "security": "/account/security",
        "identities": "/account/identities",
        "device": "/device",
        **{name.replace("/", "-"): f"/projects/{project}/{name}" for name in _OF_PROJECT},
        **{f"service-{name.replace('/', '-')}": f"{web}/{name}" for name in _OF_SERVICE},
        "instance": "/instance",
        **{f"instance-{name}": f"/instance/{name}" for name in _OF_INSTANCE},
        "refused": "/projects/none-of-these",
    }
