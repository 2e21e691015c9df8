"""Pages of a project's people: members and invitations."""

from towline.actions.access import ROLE_PERMISSIONS, Permission, Role
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.projects import permissions


async def show_members(visit: Visit) -> View:
    """Who may do what in a project, and who is invited."""
    name = visit.path["project"]
    project, members = await visit.ask_all(
        wanting("projects.get", project=name), wanting("members.list", project=name, query={"limit": 200})
    )
    return await _members(visit, project, members["items"], None)


async def add_member(visit: Visit, fields: Fields) -> View:
    """Invite somebody; the link is shown once where no mail goes out."""
    name = visit.path["project"]
    body = {"project": name, "email": text(fields, "email"), "role": text(fields, "role")}
    made = await visit.ask("invitations.create", body=body)
    project, members = await visit.ask_all(
        wanting("projects.get", project=name), wanting("members.list", project=name, query={"limit": 200})
    )
    return await _members(visit, project, members["items"], made)


async def resend_invitation(visit: Visit, fields: Fields) -> View:
    """Send an invitation again, by a new link."""
    made = await visit.ask("invitations.resend", invitation=text(fields, "invitation"))
    name = visit.path["project"]
    project, members = await visit.ask_all(
        wanting("projects.get", project=name), wanting("members.list", project=name, query={"limit": 200})
    )
    return await _members(visit, project, members["items"], made)


async def revoke_invitation(visit: Visit, fields: Fields) -> str:
    """Take an invitation back."""
    await visit.ask("invitations.revoke", invitation=text(fields, "invitation"))
    return f"/projects/{visit.path['project']}/members"


async def change_member(visit: Visit, fields: Fields) -> str:
    """Give a member another role."""
    body = {"role": text(fields, "role")}
    await visit.ask("members.update", project=visit.path["project"], user=text(fields, "user"), body=body)
    return f"/projects/{visit.path['project']}/members"


async def remove_member(visit: Visit, fields: Fields) -> str:
    """Remove a member."""
    await visit.ask("members.remove", project=visit.path["project"], user=text(fields, "user"))
    return f"/projects/{visit.path['project']}/members"


async def leave(visit: Visit, _: Fields) -> str:
    """Leave a project."""
    await visit.ask_here("members.leave")
    return "/"


async def _members(visit: Visit, project: Json, members: list[Json], made: Json | None) -> View:
    can = permissions(visit, project)
    invitations: list[Json] = []
    if can["can_invite"]:
        query = {"project": project["id"], "limit": 100}
        invitations = (await visit.ask("invitations.list", query=query))["items"]
    values = {
        "project": project,
        "members": members,
        "invitations": invitations,
        "made": made,
        "roles": [role.value for role in Role],
        "permissions": [permission.value for permission in Permission if permission in ROLE_PERMISSIONS[Role.OWNER]],
        "matrix": {role.value: {one.value for one in ROLE_PERMISSIONS[role]} for role in Role},
        "me": visit.caller.user_id,
        **can,
    }
    title = f"Members of {project['name']}"
    return View("members.html", title, values, (f"project:{project['id']}",), project["name"])
