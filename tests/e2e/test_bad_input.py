"""Input of any bytes is refused with the field named, or carried exactly; it is never a fault, and nothing is left."""

import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from tests.e2e.parts import app, failed, succeeded
from tests.running import RunningTowline, tar_of

from towline.client.transport import LocalhostTransport
from towline.contract.deployments import Deployment, DeployRequest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
JSON = {"Content-Type": "application/json"}
HOSTILE = [
    "",
    " ",
    "../../etc",
    "a/b",
    "a;touch x",
    "$(id)",
    "`id`",
    "-rf",
    "--help",
    "a\nb",
    "a\x00b",
    "\u202egnp",
    "ü",
    "{{env}}",
    "' OR 1=1 --",
    "x" * 5000,
    "%00",
]


@pytest.fixture
def http(towline: RunningTowline) -> Iterator[httpx2.Client]:
    """A client of the API without any checks of its own."""
    headers = {"Authorization": f"Bearer {towline.api_key}"}
    base = towline.client.connection.base_url + "/api/v1"
    with httpx2.Client(base_url=base, headers=headers, transport=LocalhostTransport(), timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def serving(towline: RunningTowline) -> Iterator[str]:
    """A project whose service serves its first version."""
    name = f"archives{os.urandom(4).hex()}"
    towline.create_service(name)
    succeeded(towline.deploy_files(name, app("old")))
    yield name
    towline.client.projects.delete(name)


def _refused(answer: httpx2.Response, field: str) -> None:
    assert answer.status_code == 422, (answer.status_code, answer.text)
    problem = answer.json()
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert field in str(problem["field"]) or any(field in fault["field"] for fault in problem["errors"]), problem
    assert problem["hint"]


def _body(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_that_is_none_is_refused(towline: RunningTowline, http: httpx2.Client, text: str) -> None:
    _refused(http.post("/projects", content=_body({"name": text}), headers=JSON), "name")
    if text in {"", "-rf", "$(id)", "a\nb"}:
        refused = towline.command("projects", "create", "--json", "--", text)
        assert refused.returncode == 2, refused.stdout


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 0),
        ("port", 65536),
        ("port", "80"),
        ("port", -1),
        ("port", 1e400),
        ("dockerfile_path", "../../etc/passwd"),
        ("dockerfile_path", "/etc/passwd"),
        ("context", "a/../../b"),
        ("replicas", 101),
        ("memory_bytes", 1),
        ("cpus", float("nan")),
        ("start_command", ["a\0b"]),
        ("start_command", "not a list"),
        ("volumes", [{"name": "../x", "path": "/data"}]),
        ("volumes", [{"name": "x", "path": "/etc/../proc"}]),
        ("volumes", [{"name": "x", "path": "data"}]),
        ("build_arguments", {"A B": "x"}),
        ("health", {"kind": "http", "path": "no slash"}),
        ("source", {"type": "../git"}),
        ("type", "daemon"),
        ("name", "UPPER"),
        ("unknown_field", 1),
    ],
)
def test_a_setting_that_is_none_is_refused(
    towline: RunningTowline, project: str, http: httpx2.Client, field: str, value: object
) -> None:
    towline.create_service(project, "other")
    body = {"name": "web", field: value}
    _refused(http.post(f"/projects/{project}/services", content=_body(body), headers=JSON), field)


@pytest.mark.parametrize(
    "ref",
    ["--upload-pack=x", "a b", "a..b", "@{-1}", "x\ny", "~", "a:b", "refs/heads/x.lock", "/x", "x" * 300],
)
def test_a_branch_that_is_none_is_refused(towline: RunningTowline, project: str, http: httpx2.Client, ref: str) -> None:
    source = {"type": "git", "config": {"url": "https://git.invalid/x.git"}}
    towline.create_service(project, source=source)
    _refused(http.post(f"/projects/{project}/services/web/deploy", content=_body({"ref": ref}), headers=JSON), "ref")


@pytest.mark.parametrize("image", ["-v", "a b", "x;y", "../x", "UPPER/Case:tag", "a" * 600, "x@sha256:short"])
def test_an_image_that_is_none_is_refused(
    towline: RunningTowline, project: str, http: httpx2.Client, image: str
) -> None:
    towline.create_service(project)
    answer = http.post(f"/projects/{project}/services/web/deploy", content=_body({"image": image}), headers=JSON)
    _refused(answer, "image")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"name": 1}', b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 100_000]
)
def test_a_body_that_is_no_object_is_refused(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/projects", content=body, headers=JSON)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["hint"]


def test_paths_and_queries_of_any_bytes_are_no_fault(http: httpx2.Client) -> None:
    for path in ("/projects/%00", "/projects/%ff%fe", "/projects/..%2f..%2fetc", "/deployments/%27%3b--", "/nothing"):
        assert 400 <= http.get(path).status_code < 500, path
    for query in ("limit=0", "limit=x", "limit=99999", "cursor=%00", "cursor=AAAA", "cursor=" + "x" * 600):
        assert http.get(f"/projects?{query}").status_code == 422, query


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def _zip(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"owned")
    return buffer.getvalue()


def _zeros() -> bytes:
    """A gigabyte of zeros in a megabyte."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        member = _member("zeros")
        member.size = 1024**3
        file.write(member.tobuf())
        block = bytes(1024**2)
        for _ in range(1024):
            file.write(block)
    return packed.getvalue()


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "an absolute path": lambda: _tar((_member("/tmp/towline-e2e-owned"), b"owned")),
    "a parent path": lambda: _tar((_member("../../towline-e2e-owned"), b"owned")),
    "a parent path in a zip": lambda: _zip("../towline-e2e-owned"),
    "a link that leads out": lambda: _tar((_member("link", tarfile.SYMTYPE, "/etc/passwd"), b"")),
    "a file through a link": lambda: _tar(
        (_member("out", tarfile.SYMTYPE, "/tmp"), b""), (_member("out/towline-e2e-owned"), b"owned")
    ),
    "a hard link that leads out": lambda: _tar((_member("link", tarfile.LNKTYPE, "/etc/passwd"), b"")),
    "a device": lambda: _tar((_member("disk", tarfile.BLKTYPE), b"")),
    "a pipe": lambda: _tar((_member("pipe", tarfile.FIFOTYPE), b"")),
    "noise": lambda: os.urandom(4096),
    "half an archive": lambda: gzip.compress(tar_of({"Dockerfile": b"FROM scratch\n" * 1000}))[:-40],
    "too many files": lambda: tar_of({str(number): b"" for number in range(3000)}),
    "a gigabyte of zeros": _zeros,
}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=[name.replace(" ", "-") for name in ARCHIVES])
def test_a_hostile_archive_is_refused_and_leaves_nothing(
    towline: RunningTowline, serving: str, tmp_path: Path, content: Callable[[], bytes]
) -> None:
    """The shared Towline takes at most 2,000 files and 200 MB."""
    project, host = serving, f"web-{serving}.localhost"
    archive = tmp_path / "archive"
    archive.write_bytes(content())
    upload = towline.client.uploads.send(project, archive).digest
    ended = _deploy(towline, project, upload)
    text = failed(ended, ended.error.code if ended.error else "")
    assert ended.error is not None
    assert ended.error.code in {"bundle-rejected", "too-large"}, text
    assert not Path("/tmp/towline-e2e-owned").exists()
    for folder in ("tmp", "artifacts/tmp", "uploads/tmp"):
        place = towline.folder / folder
        assert not place.exists() or not list(place.iterdir())
    assert towline.get(host).text == "old"


def test_an_upload_must_be_what_its_digest_says(towline: RunningTowline, project: str, http: httpx2.Client) -> None:
    towline.create_service(project)
    digest = "sha256:" + "0" * 64
    begun = http.post(f"/projects/{project}/uploads", content=_body({"digest": digest, "size": 5}), headers=JSON)
    assert begun.status_code in {200, 201}, begun.text
    headers = {"Content-Type": "application/octet-stream", "Upload-Offset": "0"}
    ended = http.patch(f"/projects/{project}/uploads/{digest}", content=b"12345", headers=headers)
    assert 400 <= ended.status_code < 500, ended.text
    refused = http.post(f"/projects/{project}/services/web/deploy", content=_body({"upload": digest}), headers=JSON)
    assert 400 <= refused.status_code < 500, refused.text


def _deploy(towline: RunningTowline, project: str, upload: str) -> Deployment:
    asked = towline.client.services.deploy(project, "web", DeployRequest(upload=upload))
    return towline.client.wait_for_deployment(asked.id, timeout=60)
