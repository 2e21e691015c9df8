"""Rotation of the sealing key through the HTTP door."""

from datetime import timedelta

from tests.web.door import Door

from towline.actions.resealing import Resealing


async def test_an_administrator_rotates_the_key_while_requests_go_on(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    await root.post("/projects", {"name": "shop"})
    await root.patch("/projects/shop/variables", {"variables": [{"name": "A", "value": "one", "is_secret": True}]})
    before = await root.get("/secrets")
    assert (before["values"] > 0, before["remaining"], before["is_rotating"]) == (True, 0, False)
    begun = await root.post("/secrets/rotate")
    assert (begun["is_rotating"], begun["remaining"]) == (True, before["values"])
    again = await root.post("/secrets/rotate")
    assert [key["id"] for key in again["keys"]] == [key["id"] for key in begun["keys"]]
    await root.patch("/projects/shop/variables", {"variables": [{"name": "B", "value": "two", "is_secret": True}]})
    await Resealing(door.platform, grace=timedelta()).run()
    after = await root.get("/secrets")
    assert (after["is_rotating"], after["remaining"]) == (False, 0)
    assert [key["id"] for key in after["keys"]] == [begun["keys"][0]["id"]]
    assert begun["keys"][1]["id"] == before["keys"][0]["id"]
    [second, first, *_] = (await root.get("/audit", action="secrets.rotate"))["items"]
    assert (first["detail"], second["detail"]) == ({"is_new": True}, {"is_new": False})
