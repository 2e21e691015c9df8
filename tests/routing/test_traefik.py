"""What visitors see when a real Traefik runs what TraefikRouter publishes."""

import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.routing.servers import Backend, RunningTraefik, backend, get, wait_until

from towline.errors import RouterUnavailable
from towline.routing.traefik.api import TraefikApi
from towline.routing.traefik.router import TraefikRouter
from towline.values import Middlewares, Route

SOON = timedelta(seconds=5)
# htpasswd -nbs ada lovelace
ADA = "ada:{SHA}MJgvYgf2tRctgBqviyzN0HpBdyY="

Backends = tuple[Backend, Backend]


async def publish(router: TraefikRouter, *routes: Route) -> None:
    """Publish and wait, as the platform does."""
    await router.publish("env_1", routes)
    await router.wait_until_confirmed("env_1", routes, timeout=SOON)


def a_route(server: str, *, key: str = "shop", path: str = "/", middlewares: Middlewares | None = None) -> Route:
    """A plain HTTP route of shop.example.com."""
    return Route(
        key=key,
        host="shop.example.com",
        servers=(server,),
        path_prefix=path,
        certificate="none",
        middlewares=middlewares or Middlewares(),
    )


async def test_the_longest_path_prefix_wins_at_segment_borders(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    old, new = backends
    await publish(router, a_route(old.url), a_route(new.url, key="api", path="/api"))
    answers = [(await get(traefik.url(path), "shop.example.com"))[1] for path in ("/", "/api", "/api/x", "/apiary")]
    assert [answer.split()[0] for answer in answers] == ["old", "new", "new", "old"]


async def test_the_prefix_is_stripped_on_request(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    await publish(router, a_route(backends[0].url, path="/api", middlewares=Middlewares(strip_prefix=True)))
    assert (await get(traefik.url("/api/x?y=1"), "shop.example.com"))[1] == "old GET /x 0"
    assert (await get(traefik.url("/api"), "shop.example.com"))[1] == "old GET / 0"


async def test_a_host_with_a_certificate_answers_on_both_ports_and_redirects_when_asked(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    plain = Route(key="shop", host="shop.example.com", servers=(backends[0].url,))
    await publish(router, plain)
    assert (await get(traefik.url(tls=True), "shop.example.com"))[0] == 200
    assert (await get(traefik.url(), "shop.example.com"))[0] == 200
    await publish(
        router, Route(key="shop", host="shop.example.com", servers=(backends[0].url,), redirect_to_https=True)
    )
    status, _, headers = await get(traefik.url("/x?y=1"), "shop.example.com")
    assert (status, headers["location"]) == (301, f"https://shop.example.com:{traefik.https_port}/x?y=1")
    assert (await get(traefik.url(tls=True), "shop.example.com"))[0] == 200


async def test_middlewares_do_what_they_say(traefik: RunningTraefik, router: TraefikRouter, backends: Backends) -> None:
    wanted = Middlewares(
        basic_auth=(ADA,), headers={"X-Frame-Options": "DENY"}, compress=True, allow_addresses=("127.0.0.0/8",)
    )
    await publish(router, a_route(backends[0].url, middlewares=wanted))
    assert (await get(traefik.url(), "shop.example.com"))[0] == 401
    basic = {"Authorization": "Basic YWRhOmxvdmVsYWNl"}
    status, body, headers = await get(traefik.url(), "shop.example.com", headers=basic)
    assert (status, body, headers["x-frame-options"]) == (200, "old GET / 0", "DENY")
    assert "authorization" not in backends[0].headers[-1]


async def test_addresses_outside_the_list_stay_outside(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    wanted = Middlewares(allow_addresses=("10.0.0.0/8",))
    await publish(router, a_route(backends[0].url, middlewares=wanted))
    pretended = {"X-Forwarded-For": "10.0.0.1", "X-Real-Ip": "10.0.0.1"}
    assert (await get(traefik.url(), "shop.example.com", headers=pretended))[0] == 403


async def test_too_many_requests_and_too_large_ones_are_refused(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    await publish(router, a_route(backends[0].url, middlewares=Middlewares(max_body_bytes=1000)))
    answers = [await get(traefik.url(), "shop.example.com", method="POST", body=b"x" * size) for size in (1000, 1001)]
    assert [answer[0] for answer in answers] == [200, 413]
    await publish(router, a_route(backends[0].url, middlewares=Middlewares(rate_average=1, rate_burst=2)))
    statuses = [(await get(traefik.url(), "shop.example.com"))[0] for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("https://www.example.com", "https://www.example.com/a/b?c=$1"),
        ("https://www.example.com/", "https://www.example.com/a/b?c=$1"),
        ("http://other.example.com:8080/x$1", "http://other.example.com:8080/x$1/a/b?c=$1"),
    ],
)
async def test_a_redirect_keeps_path_and_query(
    traefik: RunningTraefik, router: TraefikRouter, target: str, location: str
) -> None:
    await publish(router, a_route("http://127.0.0.1:9", middlewares=Middlewares(redirect_to=target)))
    status, _, headers = await get(traefik.url("/a/b?c=$1"), "shop.example.com")
    assert (status, headers["location"]) == (301, location)


@pytest.mark.parametrize("value", ['{{ env "PATH" }}', "{{{a}}}", "\\{{", '"{{"', "a: [b] # c", "%{x} ${y} 'z'"])
async def test_a_value_that_looks_like_a_template_is_carried_exactly(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends, value: str
) -> None:
    await publish(router, a_route(backends[0].url, middlewares=Middlewares(headers={"X-Value": value})))
    assert (await get(traefik.url(), "shop.example.com"))[2]["x-value"] == value


async def test_forwarded_headers_of_a_client_are_not_believed(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    await publish(router, a_route(backends[0].url))
    pretended = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X_Forwarded_For": "1.2.3.4"}
    await get(traefik.url(), "shop.example.com", headers=pretended)
    seen = backends[0].headers[-1]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert "x_forwarded_for" not in seen
    assert seen["host"] == "shop.example.com"


async def test_internal_routes_answer_only_their_network_on_the_internal_entry_point(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    routes = [
        Route(key=key, host=f"{key}.internal", servers=(backends[0].url,), internal_from=(network,))
        for key, network in (("ours", "127.0.0.1/32"), ("theirs", "10.117.0.0/26"))
    ]
    await publish(router, *routes)
    assert (await get(traefik.url(internal=True), "ours.internal"))[0] == 200
    assert (await get(traefik.url(internal=True), "theirs.internal"))[0] == 404
    assert (await get(traefik.url(), "ours.internal"))[0] == 404
    assert (await get(traefik.url(tls=True), "ours.internal"))[0] == 404


async def test_an_app_without_servers_answers_503_with_a_page_of_towlines(
    traefik: RunningTraefik, router: TraefikRouter
) -> None:
    await publish(router, Route(key="shop", host="shop.example.com", servers=()))
    assert (await get(traefik.url(), "shop.example.com"))[0] == 503
    async with backend("pages", host="127.0.0.1", port=traefik.platform_port) as pages:
        status, body, _ = await get(traefik.url(), "shop.example.com", method="POST", body=b"secret")
        assert (status, body) == (503, "pages GET /_towline/pages/503 0")
        headers = {"Cookie": "session=1", "Authorization": "Bearer x", "Accept": "text/html"}
        await get(traefik.url(tls=True), "shop.example.com", headers=headers)
        assert "cookie" not in pages.headers[-1]
        assert "authorization" not in pages.headers[-1]
        assert pages.headers[-1]["accept"] == "text/html"


async def test_a_host_nobody_knows_answers_404_with_a_page_even_while_the_platform_is_down(
    traefik: RunningTraefik, router: TraefikRouter
) -> None:
    assert (await get(traefik.url(), "nobody.example.com"))[0] == 404
    async with backend("pages", host="127.0.0.1", port=traefik.platform_port):
        for tls in (False, True):
            status, body, _ = await get(traefik.url("/x", tls=tls), "nobody.example.com", method="POST", body=b"x")
            assert (status, body) == (404, "pages GET /_towline/pages/404 0")


@pytest.mark.parametrize(
    "host", ["towline.example.com", "203.0.113.9", "203.0.113.9:8080", "[2001:db8::1]", "[2001:db8::1]:80", "localhost"]
)
async def test_the_platform_answers_at_its_host_and_at_bare_addresses(
    traefik: RunningTraefik, router: TraefikRouter, host: str
) -> None:
    async with backend("api", host="127.0.0.1", port=traefik.platform_port):
        for tls in (False, True):
            status, body, _ = await get(traefik.url("/setup", tls=tls), host, method="POST", body=b"x")
            assert (status, body) == (200, "api POST /setup 1")


async def test_an_app_cannot_take_the_platforms_host(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    await publish(
        router, Route(key="thief", host="towline.example.com", path_prefix="/login", servers=(backends[0].url,))
    )
    async with backend("api", host="127.0.0.1", port=traefik.platform_port):
        assert (await get(traefik.url("/login"), "towline.example.com"))[1].startswith("api ")


async def test_a_former_host_leads_to_the_platform_unless_an_app_has_it_and_until_it_is_retired(
    traefik: RunningTraefik, router: TraefikRouter, backends: Backends
) -> None:
    former = ["shop.example.com"]
    moved = TraefikRouter(replace(traefik.options, list_former_hosts=lambda: former))

    async def answers(wanted: int, said: str) -> bool:
        status, body, _ = await get(traefik.url("/x"), "shop.example.com")
        return status == wanted and body.startswith(said)

    async with backend("api", host="127.0.0.1", port=traefik.platform_port), moved.session():
        await wait_until(lambda: answers(200, "api GET /x"))
        await publish(router, a_route(backends[0].url))
        assert await answers(200, "old GET /x")
        await router.remove("env_1")
        await wait_until(lambda: answers(200, "api GET /x"))
        former.clear()
        await moved.publish_platform()
        await wait_until(lambda: answers(404, "api GET /_towline/pages/404"))


async def test_traefiks_api_answers_nobody_without_the_password(traefik: RunningTraefik, router: TraefikRouter) -> None:
    url = f"{traefik.options.api_url}/api/rawdata"
    assert (await get(url, "127.0.0.1"))[0] == 401
    other = TraefikApi(traefik.options.api_url, "another password of it")
    other.open()
    with pytest.raises(RouterUnavailable, match="401"):
        await other.get_version()
    await other.close()


async def test_an_equal_list_is_not_written_again_and_files_are_private(
    traefik: RunningTraefik, router: TraefikRouter
) -> None:
    routes = [a_route("http://127.0.0.1:9"), a_route("http://127.0.0.1:9", key="api", path="/api")]
    await router.publish("env_1", routes)
    path = traefik.options.routes_dir / "env_1.yml"
    first = path.stat()
    await router.publish("env_1", routes[::-1])
    assert path.stat().st_ino == first.st_ino
    assert stat.S_IMODE(first.st_mode) == 0o600
    assert _drafts(traefik) == []


async def test_no_traefik_means_unavailable_within_the_timeout_and_the_list_is_kept(traefik: RunningTraefik) -> None:
    router = TraefikRouter(replace(traefik.options, api_url="http://127.0.0.1:9"))
    async with router.session():
        await router.publish("env_9", [a_route("http://127.0.0.1:9")])
        with pytest.raises(RouterUnavailable, match="does not answer"):
            await router.wait_until_confirmed(
                "env_9", [a_route("http://127.0.0.1:9")], timeout=timedelta(milliseconds=100)
            )
        assert await router.list_owners() == ["env_9"]
        await router.remove("env_9")


async def test_one_of_several_users_of_a_router_may_leave_without_taking_the_connection_with_it(
    traefik: RunningTraefik,
) -> None:
    router = TraefikRouter(traefik.options)
    async with router.session():
        async with router.session():
            assert await router.ping()
        assert await router.ping()


async def test_drafts_of_dead_processes_are_removed(traefik: RunningTraefik) -> None:
    folder = traefik.options.routes_dir.with_name("routes.new")
    folder.mkdir(exist_ok=True)
    (folder / "env_1.yml.999999999.abcd1234").write_text("{")
    async with TraefikRouter(traefik.options).session():
        assert _drafts(traefik) == []


def _drafts(traefik: RunningTraefik) -> Sequence[str]:
    folder = traefik.options.routes_dir.with_name("routes.new")
    return [path.name for path in folder.iterdir()]
