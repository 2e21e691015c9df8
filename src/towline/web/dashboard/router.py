"""Every address of the dashboard, and what answers there."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.routing import Route

from towline.web.arrivals import find_person
from towline.web.dashboard import (
    account,
    assets,
    audit,
    backups,
    catalogue,
    channels,
    connections,
    deployments,
    domain,
    hooks,
    identities,
    instance,
    log_files,
    people,
    previews,
    project_file,
    projects,
    providers,
    registries,
    releases,
    runs,
    security,
    service_forms,
    services,
    variable_pages,
    webhook_secrets,
)
from towline.web.dashboard.answers import Obey, Show, obeying, showing
from towline.web.pages import get_front_page

router = APIRouter()
_P: Final = "/projects/{project}"
_S: Final = "/projects/{project}/services/{service}"
_G: Final = "/projects/{project}/groups/{group}"
_D: Final = "/deployments/{deployment}"
_show_home: Final = showing(projects.show_home)

PAGES: Final[dict[str, Show]] = {
    _P: projects.show_project,
    f"{_P}/settings": projects.show_project_settings,
    f"{_P}/members": people.show_members,
    f"{_P}/audit": audit.show_of_project,
    f"{_P}/groups": projects.show_groups,
    _G: projects.show_group,
    f"{_P}/hooks": hooks.show_hooks,
    f"{_P}/hooks/{{hook}}": hooks.show_deliveries,
    f"{_P}/previews": previews.show_previews,
    f"{_P}/previews/{{preview}}": previews.show_preview,
    f"{_P}/variables": variable_pages.show_project_variables,
    f"{_P}/backups": backups.show_backups,
    f"{_P}/backups/{{backup}}": backups.show_backup,
    f"{_P}/restores/{{restore}}": backups.show_restore,
    f"{_P}/catalogue": catalogue.show_catalogue,
    f"{_P}/catalogue/{{template}}": catalogue.show_template,
    f"{_P}/file": project_file.show_file,
    f"{_P}/connections": connections.show_connections,
    f"{_P}/connections/{{connection}}": connections.show_repositories,
    f"{_P}/registries": registries.show_registries,
    f"{_P}/notifications": channels.show_channels,
    f"{_P}/notifications/{{channel}}": channels.show_channel,
    _S: services.show_overview,
    f"{_S}/deployments": services.show_deployments,
    f"{_S}/deploy": services.show_deploy,
    f"{_S}/log": services.show_log,
    f"{_S}/log/text": log_files.download_service_log,
    f"{_S}/variables": services.show_variables,
    f"{_S}/variables/compare": variable_pages.show_comparison,
    f"{_S}/variables/file": variable_pages.show_dotenv,
    f"{_S}/releases": releases.show_releases,
    f"{_S}/runs": runs.show_runs,
    f"{_S}/runs/{{run}}": runs.show_run,
    f"{_S}/webhook-secrets": webhook_secrets.show_webhook_secrets,
    f"{_S}/domains": services.show_domains,
    f"{_S}/settings": services.show_settings,
    _D: deployments.show_deployment,
    f"{_D}/log/text": log_files.download_deployment_log,
    "/account/security": security.show_security,
    "/account/identities": identities.show_identities,
    "/account/keys": account.show_keys,
    "/account/sessions": account.show_sessions,
    "/instance": instance.show_instance,
    "/instance/domain": domain.show_domain,
    "/instance/users": instance.show_users,
    "/instance/providers": providers.show_providers,
    "/instance/providers/{provider}": providers.show_provider,
    "/instance/variables": variable_pages.show_global_variables,
    "/instance/connections": connections.show_connections,
    "/instance/registries": registries.show_registries,
    "/instance/notifications": channels.show_channels,
    "/instance/notifications/{channel}": channels.show_channel,
    "/instance/mail": instance.show_mail,
    "/instance/secrets": instance.show_secrets,
    "/instance/audit": audit.show_of_instance,
}
"""What is shown, by address."""


def _channels(place: str) -> dict[str, Obey]:
    """Forms of notifications, of a project or the instance."""
    channel = f"{place}/notifications/{{channel}}"
    return {
        f"{place}/notifications": channels.create_channel,
        channel: channels.change_channel,
        f"{channel}/pause": channels.pause_channel,
        f"{channel}/test": channels.try_channel,
        f"{channel}/delete": channels.delete_channel,
    }


FORMS: Final[dict[str, Obey]] = {
    "/new": projects.create_and_deploy,
    "/example": projects.create_example,
    f"{_P}/new": projects.create_service,
    f"{_P}/deploy": projects.deploy_project,
    f"{_P}/settings": projects.update_project,
    f"{_P}/delete": projects.delete_project,
    f"{_P}/environments": projects.create_environment,
    f"{_P}/environments/{{environment}}/delete": projects.delete_environment,
    f"{_P}/members": people.add_member,
    f"{_P}/members/change": people.change_member,
    f"{_P}/members/remove": people.remove_member,
    f"{_P}/members/leave": people.leave,
    f"{_P}/invitations/resend": people.resend_invitation,
    f"{_P}/invitations/revoke": people.revoke_invitation,
    f"{_G}/cancel": projects.cancel_group,
    f"{_G}/rollback": projects.roll_back_group,
    f"{_P}/hooks": hooks.create_hook,
    f"{_P}/hooks/{{hook}}/rules": hooks.change_rules,
    f"{_P}/hooks/{{hook}}/rotate": hooks.rotate_hook,
    f"{_P}/hooks/{{hook}}/delete": hooks.delete_hook,
    f"{_P}/hooks/{{hook}}/replay": hooks.replay,
    f"{_P}/previews": previews.create_preview,
    f"{_P}/previews/rules": previews.change_rules,
    f"{_P}/previews/{{preview}}": previews.change_preview,
    f"{_P}/previews/{{preview}}/share": previews.share_preview,
    f"{_P}/previews/{{preview}}/share/delete": previews.stop_sharing,
    f"{_P}/previews/{{preview}}/deploy": previews.redeploy_preview,
    f"{_P}/previews/{{preview}}/extend": previews.extend_preview,
    f"{_P}/previews/{{preview}}/wake": previews.wake_preview,
    f"{_P}/previews/{{preview}}/approve": previews.approve_preview,
    f"{_P}/previews/{{preview}}/delete": previews.delete_preview,
    f"{_P}/variables": variable_pages.set_project_variable,
    f"{_P}/variables/delete": variable_pages.delete_project_variable,
    f"{_P}/variables/undo": variable_pages.undo_project_variable,
    f"{_P}/dump": backups.dump,
    f"{_P}/backups/{{backup}}/delete": backups.delete,
    f"{_P}/backups/{{backup}}/restore": backups.restore,
    f"{_P}/backups/{{backup}}/test": backups.test,
    f"{_P}/volumes/snapshot": backups.snapshot,
    f"{_P}/volumes/copy": backups.copy,
    f"{_P}/catalogue/{{template}}": catalogue.use_template,
    f"{_P}/file": project_file.plan,
    f"{_P}/file/apply": project_file.apply,
    f"{_P}/connections": connections.create_connection,
    f"{_P}/connections/delete": connections.delete_connection,
    f"{_P}/registries": registries.create_registry,
    f"{_P}/registries/delete": registries.delete_registry,
    **_channels(_P),
    f"{_S}/deploy": service_forms.deploy,
    f"{_S}/act": service_forms.act,
    f"{_S}/scale": service_forms.scale,
    f"{_S}/rollback": service_forms.roll_back,
    f"{_S}/variables": service_forms.set_variable,
    f"{_S}/variables/delete": service_forms.delete_variable,
    f"{_S}/variables/undo": service_forms.undo_variable,
    f"{_S}/variables/file": variable_pages.import_dotenv,
    f"{_S}/promote": releases.promote,
    f"{_S}/run": runs.run_now,
    f"{_S}/runs/{{run}}/cancel": runs.cancel_run,
    f"{_S}/webhook-secrets": webhook_secrets.rotate_webhook_secret,
    f"{_S}/webhook-secrets/delete": webhook_secrets.delete_webhook_secret,
    f"{_S}/domains": service_forms.add_domain,
    f"{_S}/domains/delete": service_forms.delete_domain,
    f"{_S}/needs": service_forms.set_need,
    f"{_S}/needs/delete": service_forms.delete_need,
    f"{_S}/settings": service_forms.update,
    f"{_S}/delete": service_forms.delete,
    f"{_D}/cancel": deployments.cancel,
    f"{_D}/retry": deployments.retry,
    f"{_D}/rollback": deployments.roll_back,
    f"{_D}/promote": deployments.promote,
    "/account/identities": identities.change_identities,
    "/account/keys": account.create_key,
    "/account/keys/revoke": account.revoke_key,
    "/account/sessions/end": account.end_session,
    "/account/sessions/end-others": account.end_other_sessions,
    "/instance/domain": domain.set_domain,
    "/instance/domain/retire": domain.retire_former_host,
    "/instance/invite": instance.invite,
    "/instance/users/change": instance.change_user,
    "/instance/users/password": instance.reset_password,
    "/instance/invitations/revoke": instance.revoke_invitation,
    "/instance/providers": providers.create_provider,
    "/instance/providers/{provider}": providers.change_provider,
    "/instance/providers/{provider}/test": providers.try_provider,
    "/instance/providers/{provider}/delete": providers.delete_provider,
    "/instance/variables": variable_pages.set_global_variable,
    "/instance/variables/delete": variable_pages.delete_global_variable,
    "/instance/variables/undo": variable_pages.undo_global_variable,
    "/instance/connections": connections.create_connection,
    "/instance/connections/delete": connections.delete_connection,
    "/instance/registries": registries.create_registry,
    "/instance/registries/delete": registries.delete_registry,
    **_channels("/instance"),
    "/instance/mail/test": instance.test_mail,
    "/instance/secrets/rotate": instance.rotate_secrets,
}
"""What is done, by address."""


async def show_front(request: Request) -> Response:
    """The projects of whoever is signed in; what runs here, for everybody else."""
    return await (get_front_page(request) if await find_person(request) is None else _show_home(request))


router.routes.append(Route("/", show_front, methods=["GET"], name="front"))
router.routes.append(Route("/_towline/assets/{name}", assets.get_asset, methods=["GET"], name="asset"))
router.routes.extend(Route(path, showing(show), methods=["GET"], name=f"page {path}") for path, show in PAGES.items())
router.routes.extend(Route(path, obeying(obey), methods=["POST"], name=f"form {path}") for path, obey in FORMS.items())
