"""Every address of the dashboard, and what answers there."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.routing import Route

from towline.web.arrivals import find_person
from towline.web.dashboard import (
    account,
    assets,
    deployments,
    instance,
    log_files,
    people,
    projects,
    service_forms,
    services,
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
    f"{_P}/audit": people.show_audit,
    _G: projects.show_group,
    _S: services.show_overview,
    f"{_S}/deployments": services.show_deployments,
    f"{_S}/deploy": services.show_deploy,
    f"{_S}/log": services.show_log,
    f"{_S}/log/text": log_files.download_service_log,
    f"{_S}/variables": services.show_variables,
    f"{_S}/domains": services.show_domains,
    f"{_S}/settings": services.show_settings,
    _D: deployments.show_deployment,
    f"{_D}/log/text": log_files.download_deployment_log,
    "/account/keys": account.show_keys,
    "/account/sessions": account.show_sessions,
    "/instance": instance.show_instance,
    "/instance/audit": instance.show_audit,
}
"""What is shown, by address."""

FORMS: Final[dict[str, Obey]] = {
    "/new": projects.create_and_deploy,
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
    f"{_S}/deploy": service_forms.deploy,
    f"{_S}/act": service_forms.act,
    f"{_S}/scale": service_forms.scale,
    f"{_S}/rollback": service_forms.roll_back,
    f"{_S}/variables": service_forms.set_variable,
    f"{_S}/variables/delete": service_forms.delete_variable,
    f"{_S}/variables/undo": service_forms.undo_variable,
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
    "/account/keys": account.create_key,
    "/account/keys/revoke": account.revoke_key,
    "/account/sessions/end": account.end_session,
    "/account/sessions/end-others": account.end_other_sessions,
    "/instance/invite": instance.invite,
    "/instance/users/change": instance.change_user,
}
"""What is done, by address."""


async def show_front(request: Request) -> Response:
    """The projects of whoever is signed in; what runs here, for everybody else."""
    return await (get_front_page(request) if await find_person(request) is None else _show_home(request))


router.routes.append(Route("/", show_front, methods=["GET"], name="front"))
router.routes.append(Route("/_towline/assets/{name}", assets.get_asset, methods=["GET"], name="asset"))
router.routes.extend(Route(path, showing(show), methods=["GET"], name=f"page {path}") for path, show in PAGES.items())
router.routes.extend(Route(path, obeying(obey), methods=["POST"], name=f"form {path}") for path, obey in FORMS.items())
