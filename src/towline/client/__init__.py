"""The typed HTTP client of Towline, used by the command line and by programs."""

from types import TracebackType
from typing import Self

from towline.client.account import Account, Sessions
from towline.client.audit import Audit
from towline.client.backups import Backups, Volumes
from towline.client.connection import Connection
from towline.client.connections import Connections
from towline.client.deployments import Deployments
from towline.client.domains import Routes
from towline.client.events import Events
from towline.client.groups import Dependencies, Groups
from towline.client.hooks import Hooks
from towline.client.identities import Device, Identities, IdentityProviders
from towline.client.instance import Instance, Keys, Registries
from towline.client.members import Invitations, Members
from towline.client.notifications import Notifications
from towline.client.previews import Previews
from towline.client.project_files import ProjectFiles
from towline.client.projects import Environments, Projects
from towline.client.releases import Releases
from towline.client.runs import Runs
from towline.client.second_factors import Passkeys, SecondFactors
from towline.client.secrets import Secrets, WebhookSecrets
from towline.client.services import Services
from towline.client.templates import Templates
from towline.client.uploads import Uploads
from towline.client.users import Users
from towline.client.variables import GlobalVariables, Variables
from towline.client.waiting import OnChange, OnLog, wait_for_deployment
from towline.contract.deployments import Deployment


class TowlineClient:
    """One server and one API key; methods are grouped by noun and raise the TowlineError family.

    `timeout` is in seconds, per answer. Calls that did not get through are sent again a few times; writes carry an
    Idempotency-Key, so that happens at most once.
    """

    def __init__(self, base_url: str, api_key: str, *, timeout: float = 30.0) -> None:
        self.connection = Connection(base_url, api_key, timeout=timeout)
        self.projects = Projects(self.connection)
        self.environments = Environments(self.connection)
        self.services = Services(self.connection)
        self.deployments = Deployments(self.connection)
        self.groups = Groups(self.connection)
        self.dependencies = Dependencies(self.connection)
        self.releases = Releases(self.connection)
        self.runs = Runs(self.connection)
        self.uploads = Uploads(self.connection)
        self.variables = Variables(self.connection)
        self.global_variables = GlobalVariables(self.connection)
        self.connections = Connections(self.connection)
        self.hooks = Hooks(self.connection)
        self.notifications = Notifications(self.connection)
        self.previews = Previews(self.connection)
        self.project_files = ProjectFiles(self.connection)
        self.templates = Templates(self.connection)
        self.backups = Backups(self.connection)
        self.volumes = Volumes(self.connection)
        self.routes = Routes(self.connection)
        self.account = Account(self.connection)
        self.sessions = Sessions(self.connection)
        self.second_factors = SecondFactors(self.connection)
        self.passkeys = Passkeys(self.connection)
        self.keys = Keys(self.connection)
        self.registries = Registries(self.connection)
        self.audit = Audit(self.connection)
        self.secrets = Secrets(self.connection)
        self.webhook_secrets = WebhookSecrets(self.connection)
        self.members = Members(self.connection)
        self.invitations = Invitations(self.connection)
        self.users = Users(self.connection)
        self.events = Events(self.connection)
        self.instance = Instance(self.connection)
        self.identity_providers = IdentityProviders(self.connection)
        self.identities = Identities(self.connection)
        self.device = Device(self.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections to the server."""
        self.connection.close()

    def wait_for_deployment(
        self,
        deployment_id: str,
        *,
        on_log: OnLog | None = None,
        on_change: OnChange | None = None,
        timeout: float | None = None,
    ) -> Deployment:
        """The deployment once it is final, its lines and changes passed on as they come; see `client.waiting`."""
        return wait_for_deployment(self.deployments, deployment_id, on_log=on_log, on_change=on_change, timeout=timeout)
