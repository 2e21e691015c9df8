"""Pages of connections to git platforms: kept, looked through, and what they reach connected to a project."""

from typing import Final

from tests.web.browser import Browser
from tests.web.dashboard.visitors import Scene, make_scene
from tests.web.door import Door
from tests.web.heard import Heard

_ADDRESS: Final = "https://github.com/acme/shop.git"
_REPOSITORY: Final = {"full_name": "acme/shop", "clone_url": _ADDRESS, "default_branch": "main"}


async def _connect(root: Browser, scene: Scene, heard: Heard) -> str:
    """The path of the page of what a new connection reaches."""
    path = f"/projects/{scene.values['project']}/connections"
    wanted = {"platform": "github", "secret": "github_pat_1", "owner": "acme", "api_url": heard.url}
    assert (await root.send(path, wanted)).headers["location"] == path
    listed = await root.call("GET", "/connections", params={"project": scene.values["project"]})
    [made] = [item["id"] for item in listed.json()["items"] if item["owner"] == "acme"]
    return f"{path}/{made}"


async def test_what_a_connection_reaches_is_connected_by_a_button(door: Door, heard: Heard) -> None:
    scene = await make_scene(door)
    root = scene.people["root"]
    path = await _connect(root, scene, heard)
    heard.answers["GET", "/user/repos"] = (200, [_REPOSITORY])
    page = (await root.get(path)).text
    assert "acme/shop" in page
    assert 'aria-label="Connect acme/shop"' in page
    made = await root.send(f"/projects/{scene.values['project']}/hooks", {"source": "github", "repository": _ADDRESS})
    assert (made.status_code, "made at the platform by itself" in made.text) == (200, True)
    assert "connected</span>" in (await root.get(path)).text
    assert "github_pat_1" not in page + made.text


async def test_where_the_platform_says_no_the_page_says_so(door: Door, heard: Heard) -> None:
    scene = await make_scene(door)
    root = scene.people["root"]
    path = await _connect(root, scene, heard)
    heard.answers["GET", "/user/repos"] = (401, {"message": "Bad credentials"})
    answer = await root.get(path)
    assert (answer.status_code, "Bad credentials" in answer.text) == (200, True)
    assert (await root.get(f"{path}x")).status_code == 404


async def test_a_connection_of_the_instance_is_shown_to_projects_and_deleted_there_only(door: Door) -> None:
    scene = await make_scene(door)
    root, owner = scene.people["root"], scene.people["owner"]
    wanted = {"platform": "gitlab", "secret": "glpat-1", "owner": "everyone"}
    assert (await root.send("/instance/connections", wanted)).headers["location"] == "/instance/connections"
    page = (await owner.get(f"/projects/{scene.values['project']}/connections")).text
    assert "by administrators" in page
    listed = (await root.call("GET", "/connections")).json()["items"]
    [made] = [item["id"] for item in listed if item["owner"] == "everyone"]
    gone = await root.send("/instance/connections/delete", {"connection": made})
    assert gone.headers["location"] == "/instance/connections"
    assert "everyone" not in (await root.get("/instance/connections")).text.partition("Add a connection")[0]
