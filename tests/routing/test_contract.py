"""What every router promises, asked of the stand-in and of a real Traefik."""

from datetime import timedelta

import pytest

from towline.errors import InvalidInput, RouterUnavailable
from towline.routing.base import Router
from towline.values import Middlewares, Route

SOON = timedelta(seconds=5)
AT_ONCE = timedelta(milliseconds=150)


def a_route(key: str = "shop", *servers: str, host: str = "shop.example.com") -> Route:
    """A plain route."""
    return Route(key=key, host=host, servers=servers or ("http://127.0.0.2:8000",), certificate="none")


class TestRouterContract:
    """Holds for every implementation of Router."""

    async def test_published_routes_are_confirmed(self, any_router: Router) -> None:
        routes = [a_route("shop"), a_route("blog", "http://127.0.0.3:1", "http://127.0.0.4:1", host="blog.example.com")]
        await any_router.publish("env_1", routes)
        await any_router.wait_until_confirmed("env_1", routes, timeout=SOON)
        assert await any_router.list_owners() == ["env_1"]

    async def test_other_servers_than_published_are_not_confirmed(self, any_router: Router) -> None:
        await any_router.publish("env_1", [a_route()])
        await any_router.wait_until_confirmed("env_1", [a_route()], timeout=SOON)
        with pytest.raises(RouterUnavailable, match="env_1"):
            await any_router.wait_until_confirmed("env_1", [a_route("shop", "http://127.0.0.9:1")], timeout=AT_ONCE)

    async def test_a_part_of_the_list_can_be_confirmed(self, any_router: Router) -> None:
        await any_router.publish("env_1", [a_route("one"), a_route("two", host="two.example.com")])
        await any_router.wait_until_confirmed("env_1", [a_route("one")], timeout=SOON)

    async def test_a_list_replaced_by_a_newer_one_is_confirmed_with_it(self, any_router: Router) -> None:
        older, newer = [a_route("shop", "http://127.0.0.2:1")], [a_route("shop", "http://127.0.0.3:1")]
        await any_router.publish("env_1", older)
        await any_router.publish("env_1", newer)
        await any_router.wait_until_confirmed("env_1", older, timeout=SOON)
        await any_router.wait_until_confirmed("env_1", newer, timeout=SOON)

    async def test_the_last_list_is_the_whole_truth(self, any_router: Router) -> None:
        await any_router.publish("env_1", [a_route("one"), a_route("two", host="two.example.com")])
        await any_router.publish("env_1", [a_route("two", host="two.example.com")])
        await any_router.wait_until_confirmed("env_1", [a_route("two", host="two.example.com")], timeout=SOON)
        with pytest.raises(RouterUnavailable):
            await any_router.wait_until_confirmed("env_1", [a_route("one")], timeout=AT_ONCE)

    async def test_a_route_without_servers_is_confirmed(self, any_router: Router) -> None:
        empty = Route(key="shop", host="shop.example.com", servers=())
        await any_router.publish("env_1", [empty])
        await any_router.wait_until_confirmed("env_1", [empty], timeout=SOON)

    async def test_an_empty_list_and_remove_leave_no_owner(self, any_router: Router) -> None:
        await any_router.publish("env_1", [a_route("one")])
        await any_router.publish("env_2", [a_route("two", host="two.example.com")])
        await any_router.publish("env_1", [])
        await any_router.wait_until_confirmed("env_1", [], timeout=SOON)
        await any_router.remove("env_2")
        await any_router.remove("env_2")
        assert await any_router.list_owners() == []

    @pytest.mark.parametrize("owner", ["", "..", "../x", "a.b", "A", "a/b", "towline", "a" * 81, "a\n"])
    async def test_an_owner_that_is_no_name_is_refused(self, any_router: Router, owner: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            await any_router.publish(owner, [a_route()])
        assert refused.value.field == "owner"

    @pytest.mark.parametrize(
        ("route", "field"),
        [
            (Route(key="A b", host="a.example.com", servers=()), "key"),
            (Route(key="a", host="a.example.com`) || Host(`b", servers=()), "host"),
            (Route(key="a", host='{{ env "HOME" }}', servers=()), "host"),
            (Route(key="a", host="a.example.com", servers=(), path_prefix="/`"), "path_prefix"),
            (Route(key="a", host="a.example.com", servers=("file:///etc/passwd",)), "servers"),
            (Route(key="a", host="a.example.com", servers=("http://name:80",)), "servers"),
            (Route(key="a", host="a.example.com", servers=("http://10.0.0.1:80/{{",)), "servers"),
            (Route(key="a", host="a.example.com", servers=(), internal_from=("10.0.0.0/8`",)), "internal_from"),
            (
                Route(key="a", host="a.example.com", servers=(), middlewares=Middlewares(headers={"X": "a\nb"})),
                "headers",
            ),
            (
                Route(key="a", host="a.example.com", servers=(), middlewares=Middlewares(redirect_to="javascript:1")),
                "redirect_to",
            ),
            (
                Route(key="a", host="a.example.com", servers=(), middlewares=Middlewares(basic_auth=("x",))),
                "basic_auth",
            ),
        ],
    )
    async def test_a_route_that_says_more_than_it_may_is_refused(
        self, any_router: Router, route: Route, field: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            await any_router.publish("env_1", [route])
        assert refused.value.field == field
        assert await any_router.list_owners() == []

    async def test_two_routes_with_one_key_are_refused(self, any_router: Router) -> None:
        with pytest.raises(InvalidInput):
            await any_router.publish("env_1", [a_route(), a_route()])

    async def test_a_certificate_that_is_none_is_refused(self, any_router: Router) -> None:
        with pytest.raises(InvalidInput) as refused:
            await any_router.put_certificate("shop.example.com", certificate_pem="no", key_pem="no")
        assert refused.value.field == "certificate_pem"

    async def test_no_certificate_wanted_is_no_problem(self, any_router: Router) -> None:
        assert await any_router.get_certificate_problem("shop.example.com") == ""

    async def test_ping_tells_a_version(self, any_router: Router) -> None:
        assert await any_router.ping()

    async def test_open_requests_are_told_by_server(self, any_router: Router) -> None:
        await any_router.publish("env_1", [a_route()])
        found = await any_router.get_open_requests("env_1", servers=["http://127.0.0.7:1"])
        assert found == {"http://127.0.0.2:8000": 0, "http://127.0.0.7:1": 0}
