"""A Towline with something on every page of the dashboard, for pictures and for looking at each page."""

from tests.e2e.browser.details import add_details
from tests.e2e.parts import app, command_app
from tests.running import RunningTowline

from towline.contract.environments import EnvironmentCreate
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
    "domain",
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
_BARE = ("previews", "hooks", "variables", "backups", "groups", "notifications", "connections", "registries")
_IDLE = ("", "/deployments", "/releases", "/log", "/variables", "/variables/compare", "/domains")
SHUT = {"front": "/", "sign-in": "/sign-in", "password-reset": "/password-reset"}
"""Pages of those who are not signed in."""

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)> \u202egnirts diar \u202c" + "w" * 200


def fill(towline: RunningTowline, project: str, platform: str, said: str = HOSTILE) -> dict[str, str]:
    """Three services that need each other, a failed deployment, variables, and one of each with a page of its own.

    `platform` is the address of a git platform's API, `said` what people wrote; the addresses of the pages by name.
    """
    client = towline.client
    client.projects.create(ProjectCreate(name=project, description=said[:250]))
    client.environments.create(project, EnvironmentCreate(name="staging"))
    for name in ("store", "api", "web"):
        client.services.create(project, ServiceCreate(name=name))
    client.dependencies.set(project, "api", "store", cascade=False)
    client.dependencies.set(project, "web", "api", cascade=True)
    variables = [
        {"name": "GREETING", "value": said},
        {"name": "LONG", "value": "0123456789" * 1000},
        {"name": "TOKEN", "value": "do-not-show-this", "is_secret": True},
    ]
    client.variables.set(project, VariablesSet.model_validate({"service": "web", "variables": variables}))
    for name in ("store", "api"):
        towline.deploy_files(project, app(f"hello from {name}"), service=name)
    served = towline.deploy_files(project, app("hello"), service="web")
    broken = towline.deploy_files(project, command_app("echo Cannot open the config >&2; exit 3"), service="web")
    details = add_details(towline, project, platform, said[:80])
    return pages_of(project, served=served.id, broken=broken.id) | details


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
        "instance-domain-change": "/instance/domain?domain=apps.localhost",
        "instance-domain-astray": "/instance/domain?domain=apps.invalid",
        "refused": "/projects/none-of-these",
    }


def add_bare(towline: RunningTowline, project: str) -> dict[str, str]:
    """A project with nothing, and one beside it with a service that was never deployed; their pages by name."""
    idle = f"{project}-idle"
    towline.client.projects.create(ProjectCreate(name=project))
    towline.create_service(idle)
    root, web = f"/projects/{project}", f"/projects/{idle}/services/web"
    pages = {"bare-project": root, **{f"bare-{name}": f"{root}/{name}" for name in _BARE}}
    return pages | {f"idle-service{path.replace('/', '-')}": web + path for path in _IDLE}


def add_strange(towline: RunningTowline, project: str) -> dict[str, str]:
    """A project whose words are hostile; its pages by name."""
    client = towline.client
    client.projects.create(ProjectCreate(name=project, description=HOSTILE[:250]))
    client.services.create(project, ServiceCreate(name="web"))
    variables = [{"name": "GREETING", "value": HOSTILE}, {"name": "LONG", "value": "0123456789" * 1000}]
    client.variables.set(project, VariablesSet.model_validate({"variables": variables}))
    channel = {"project": project, "name": HOSTILE[:80], "kind": "email", "address": "kim@example.com"}
    client.notifications.create_channel(NotificationChannelCreate.model_validate(channel))
    root = f"/projects/{project}"
    return {
        f"strange{path.replace('/', '-')}": root + path for path in ("", "/variables", "/notifications", "/settings")
    }
