"""The user's own certificates, and why there is none."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.routing.servers import RunningTraefik, served_certificate, wait_until

from towline.errors import InvalidInput
from towline.routing.certificates import check_pair
from towline.routing.traefik.files import RouteFiles, certificate_file
from towline.routing.traefik.options import PlatformRoutes, TraefikOptions
from towline.routing.traefik.problems import explain, find_certificate_problem, find_refusal
from towline.routing.traefik.router import TraefikRouter


def make_pair(*names: str, days: int = 5) -> tuple[str, str]:
    """A self-signed certificate for these names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "towline test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode(), private.decode()


async def test_traefik_serves_the_users_certificate_and_its_replacement(
    traefik: RunningTraefik, router: TraefikRouter
) -> None:
    for _ in range(2):
        certificate, key = make_pair("own.example.com")
        await router.put_certificate("own.example.com", certificate_pem=certificate, key_pem=key)

        async def is_served(wanted: str = certificate) -> bool:
            return served_certificate(traefik, "own.example.com") == wanted

        await wait_until(is_served)
    path = traefik.options.routes_dir / certificate_file("own.example.com")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await router.list_owners() == []
    await router.remove_certificate("own.example.com")
    await router.remove_certificate("own.example.com")
    assert not path.exists()


@pytest.mark.parametrize("names", [("shop.example.com",), ("*.example.com",), ("other.org", "SHOP.example.com")])
def test_a_pair_that_covers_the_host_is_taken(names: tuple[str, ...]) -> None:
    certificate, key = make_pair(*names)
    pair = check_pair("shop.example.com", certificate_pem=f"junk {{{{\n{certificate}", key_pem=key)
    assert pair == (certificate, key)


@pytest.mark.parametrize(
    ("pair", "field"),
    [
        ((make_pair("shop.example.com")[0], make_pair("shop.example.com")[1]), "key_pem"),
        (make_pair("other.example.com"), "certificate_pem"),
        (make_pair("*.shop.example.com"), "certificate_pem"),
        (make_pair("*.com"), "certificate_pem"),
        (make_pair("shop.example.com", days=-1), "certificate_pem"),
        (("", ""), "certificate_pem"),
        ((make_pair("shop.example.com")[0], "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"), "key_pem"),
    ],
)
def test_a_pair_that_does_not_fit_is_refused(pair: tuple[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_pair("shop.example.com", certificate_pem=pair[0], key_pem=pair[1])
    assert refused.value.field == field


def options_in(folder: Path, *, acme_email: str = "ops@example.com", addresses: tuple[str, ...] = ()) -> TraefikOptions:
    """A folder where localhost wants a certificate of the authority."""
    (folder / "routes").mkdir()
    routers = {"shop_tls": {"rule": "Host(`localhost`)", "tls": {"certResolver": "letsencrypt"}}}
    (folder / "routes" / "env_1.yml").write_bytes(orjson.dumps({"http": {"routers": routers}}))
    return TraefikOptions(
        folder / "routes",
        "http://127.0.0.1:9",
        "a-random-password-of-tests",
        PlatformRoutes("towline.example.com", "http://127.0.0.1:9"),
        log_file=folder / "traefik.log",
        acme_storage=folder / "acme.json",
        acme_email=acme_email,
        public_addresses=addresses,
    )


async def problem_in(options: TraefikOptions, host: str = "localhost") -> str:
    """The sentence for a host."""
    return await find_certificate_problem(host, options=options, files=RouteFiles(options.routes_dir))


async def test_a_certificate_in_the_store_is_no_problem(tmp_path: Path) -> None:
    options = options_in(tmp_path)
    assert "not arrived yet" in await problem_in(options)
    stored = {"letsencrypt": {"Certificates": [{"domain": {"main": "localhost"}}]}}
    (tmp_path / "acme.json").write_bytes(orjson.dumps(stored))
    assert await problem_in(options) == ""


async def test_a_host_that_leads_elsewhere_is_the_problem(tmp_path: Path) -> None:
    assert "not to this machine (203.0.113.9)" in await problem_in(options_in(tmp_path, addresses=("203.0.113.9",)))


async def test_a_host_without_dns_is_the_problem(tmp_path: Path) -> None:
    options = options_in(tmp_path)
    routers = {"a": {"rule": "Host(`nowhere.invalid`)", "tls": {"certResolver": "letsencrypt"}}}
    (tmp_path / "routes" / "env_2.yml").write_bytes(orjson.dumps({"http": {"routers": routers}}))
    assert "nowhere.invalid has no DNS record" in await problem_in(options, "nowhere.invalid")


async def test_without_an_email_nothing_was_asked_for(tmp_path: Path) -> None:
    assert "No e-mail address" in await problem_in(options_in(tmp_path, acme_email=""))


def test_the_last_refusal_that_names_the_host_counts(tmp_path: Path) -> None:
    log = tmp_path / "traefik.log"
    lines = [
        {"level": "error", "domains": ["shop.example.com"], "error": "x :: urn :: older", "message": MESSAGE},
        {"level": "error", "domains": ["shop.example.com"], "error": "x :: urn :: newer", "message": MESSAGE},
        {"level": "error", "domains": ["shop.example.com.other.org"], "error": "x :: urn :: other", "message": MESSAGE},
    ]
    log.write_bytes(b"x" * 600_000 + b"\n" + b"\n".join(map(orjson.dumps, lines)) + b'\n{"half ACME certificate')
    assert find_refusal("shop.example.com", log) == "newer."
    assert find_refusal("unknown.example.com", log) == ""
    assert find_refusal("shop.example.com", tmp_path / "missing.log") == ""


MESSAGE = "Unable to obtain ACME certificate for domains"


def test_the_authoritys_own_words_are_kept_and_the_rest_is_left_out() -> None:
    error = (
        "cannot get ACME client: unable to generate a certificate for the domains [a.example.com]: error: one or more "
        "domains had a problem:\n[a.example.com] acme: error: 403 :: urn:ietf:params:acme:error:unauthorized :: "
        "Incorrect validation certificate, url: https://ca.example.com/chall/1\n"
    )
    assert explain(error) == "Incorrect validation certificate."
    assert explain("plain words") == "plain words."
    assert explain("") == "no reason given."


async def test_the_platform_answers_over_plain_http_until_it_has_a_certificate(tmp_path: Path) -> None:
    host, storage = "towline.example.com", tmp_path / "acme.json"
    options = TraefikOptions(
        routes_dir=tmp_path / "routes",
        api_url="http://127.0.0.1:9",
        api_password="0123456789abcdef",
        platform=PlatformRoutes(host, "http://127.0.0.1:7000", certificate="acme", redirect_to_https=True),
        acme_storage=storage,
        certificate_look_seconds=0.01,
    )
    options.routes_dir.mkdir()

    async def redirects() -> bool:
        [file] = options.routes_dir.iterdir()
        router = orjson.loads(file.read_bytes())["http"]["routers"]["towline_platform"]
        return "towline_https" in router["middlewares"]

    router = TraefikRouter(options)
    async with router.session():
        assert not await redirects()
        storage.write_bytes(orjson.dumps({"towline": {"Certificates": [{"domain": {"main": host}}]}}))
        await wait_until(redirects)
    async with TraefikRouter(options).session():
        assert await redirects()


async def test_a_former_host_keeps_its_certificate_and_a_retired_one_is_gone(tmp_path: Path) -> None:
    former = ["towline.example.net", "towline.example.org"]
    options = TraefikOptions(
        routes_dir=tmp_path / "routes",
        api_url="http://127.0.0.1:9",
        api_password="0123456789abcdef",
        platform=PlatformRoutes("towline.example.com", "http://127.0.0.1:7000", certificate="acme"),
        acme_storage=tmp_path / "acme.json",
        list_former_hosts=lambda: former,
    )
    options.routes_dir.mkdir()
    stored = {"towline": {"Certificates": [{"domain": {"main": "*.example.net"}}]}}
    (tmp_path / "acme.json").write_bytes(orjson.dumps(stored))

    def resolvers() -> dict[str, object]:
        [file] = options.routes_dir.iterdir()
        routers = orjson.loads(file.read_bytes())["http"]["routers"]
        names = [name for name in routers if name.startswith("towline_former") and name.endswith("_tls")]
        return {routers[name]["rule"]: routers[name]["tls"].get("certResolver") for name in names}

    router = TraefikRouter(options)
    async with router.session():
        assert resolvers() == {"Host(`towline.example.net`)": "letsencrypt", "Host(`towline.example.org`)": None}
        former.remove("towline.example.net")
        await router.publish_platform()
        assert resolvers() == {"Host(`towline.example.org`)": None}
