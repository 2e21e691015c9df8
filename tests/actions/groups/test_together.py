"""A group: all new or all old."""

from tests.actions.groups.stack import Stack, ended

from towline.routing.memory import MemoryRouter


async def test_two_services_switch_in_one_publication(stack: Stack) -> None:
    await stack.deploy({"api": "api:1", "store": "store:1"})
    router = stack.platform.router
    assert isinstance(router, MemoryRouter)
    router.history.clear()
    group = await stack.deploy({"api": "api:2", "store": "store:2"})

    assert ended(group) == "success"
    assert await stack.served() == {"api": "api:2", "store": "store:2"}
