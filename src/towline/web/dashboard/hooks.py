"""Pages of connected repositories: their rules, what they told, and what became of it."""

from towline.errors import InvalidInput
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.places import ask_project, page_query, project_view

_SENDERS = ("github", "gitlab", "gitea", "bitbucket", "git")


async def show_hooks(visit: Visit) -> View:
    """Connected repositories."""
    return await _hooks(visit, None)


async def create_hook(visit: Visit, fields: Fields) -> View:
    """Connect a repository; its secret is shown this once."""
    body: Json = {
        "source": text(fields, "source"),
        "repository": text(fields, "repository"),
        "rules": read_rules(fields.get("rules", "")),
    }
    return await _hooks(visit, await visit.ask_here("hooks.create", body=body))


async def rotate_hook(visit: Visit, _: Fields) -> View:
    """A new secret, shown this once."""
    return await _hooks(visit, await visit.ask_here("hooks.rotate"))


async def change_rules(visit: Visit, fields: Fields) -> str:
    """Set which branches and tags go where."""
    await visit.ask_here("hooks.update", body={"rules": read_rules(fields.get("rules", ""))})
    return _page(visit, f"/{visit.path['hook']}")


async def delete_hook(visit: Visit, _: Fields) -> str:
    """Disconnect a repository."""
    await visit.ask_here("hooks.delete")
    return _page(visit)


async def show_deliveries(visit: Visit) -> View:
    """What one repository told."""
    name, hook_id = visit.path["project"], visit.path["hook"]
    project, (hooks, told) = await ask_project(
        visit,
        wanting("hooks.list", project=name),
        wanting("hooks.listDeliveries", project=name, hook=hook_id, query=page_query(visit)),
    )
    [hook] = [item for item in hooks["items"] if item["id"] == hook_id]
    values = {
        "hook": hook,
        "rules": "\n".join(_shown(rule) for rule in hook["rules"]),
        "deliveries": told["items"],
        "next_cursor": told["next_cursor"],
    }
    return project_view(visit, project, "hook.html", hook["repository"], values)


async def replay(visit: Visit, fields: Fields) -> str:
    """Do once more what a delivery asked for."""
    await visit.ask_here("hooks.replay", delivery=text(fields, "delivery"))
    return _page(visit, f"/{visit.path['hook']}")


def read_rules(lines: str) -> list[Json]:
    """Rules of the form `BRANCH ENVIRONMENT` or `tag:v* ENVIRONMENT`, one a line; InvalidInput for another line."""
    rules: list[Json] = []
    for line in lines.splitlines():
        parts = line.split()
        if len(parts) > 2:
            raise InvalidInput(
                f"{line[:80]!r} is no rule.", field="rules", hint="Write a branch and an environment: main production"
            )
        if parts:
            kind, pattern = ("tag", parts[0][4:]) if parts[0].startswith("tag:") else ("branch", parts[0])
            rules.append({kind: pattern, **({"environment": parts[1]} if len(parts) == 2 else {})})
    return rules


def _shown(rule: Json) -> str:
    pattern = rule["branch"] if rule["branch"] is not None else f"tag:{rule['tag']}"
    return f"{pattern} {rule['environment']}"


async def _hooks(visit: Visit, made: Json | None) -> View:
    project, (hooks,) = await ask_project(visit, wanting("hooks.list", project=visit.path["project"]))
    values = {"hooks": hooks["items"], "made": made, "senders": _SENDERS, "shown": _shown, "rules": ""}
    return project_view(visit, project, "hooks.html", "Repositories", values)


def _page(visit: Visit, rest: str = "") -> str:
    return f"/projects/{visit.path['project']}/hooks{rest}"
