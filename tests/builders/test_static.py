"""Dockerfiles generated for static sites, and a site that is built and answers."""

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.builders.parts import Lines, docker, write_files

from towline.builders.buildkit import BuildKit
from towline.builders.static import StaticBuilder, StaticServer
from towline.errors import BuildFailed
from towline.values import BuildSpec


def test_site_at_the_root_is_served_by_nginx(buildkit: BuildKit, tree: Path) -> None:
    write_files(tree, {"index.html": "", "dist/index.html": ""})

    lines = (StaticBuilder(buildkit).generated_dockerfile(tree, BuildSpec()) or "").splitlines()

    assert lines[0] == "FROM nginx:alpine"
    assert "'  listen ${PORT};'" in lines[1]
    assert "'  location / { try_files $uri $uri.html $uri/ =404; }'" in lines[1]
    assert lines[2:] == ["COPY ./ /usr/share/nginx/html/", "ENV PORT=8080", "EXPOSE 8080"]


@pytest.mark.parametrize("folder", ["public", "dist", "build", "_site"])
def test_usual_folders_are_found_and_a_start_command_is_taken(buildkit: BuildKit, tree: Path, folder: str) -> None:
    write_files(tree, {f"{folder}/index.html": "", "Procfile": "web: httpd -f -p 9"})
    builder = StaticBuilder(buildkit, server=StaticServer("tiny", "busybox"))

    text = builder.generated_dockerfile(tree, BuildSpec())

    assert builder.detect(tree)
    assert text == (
        f'FROM tiny\nCOPY {folder}/ /site/\nENV PORT=8080\nEXPOSE 8080\nCMD ["/bin/sh", "-c", "exec httpd -f -p 9"]\n'
    )


def test_folder_without_an_index_is_no_site(buildkit: BuildKit, tree: Path) -> None:
    builder = StaticBuilder(buildkit)

    assert not builder.detect(tree)
    with pytest.raises(BuildFailed, match=r"No index\.html"):
        builder.generated_dockerfile(tree, BuildSpec())


@pytest.mark.docker
async def test_site_is_built_answers_and_stops_at_once(
    buildkit: BuildKit, tree: Path, tag: str, lines: Lines, busybox_image: str
) -> None:
    write_files(tree, {"index.html": "hello", ".env": "SECRET=1", ".well-known/x": "known", ".dockerignore": "*.html"})
    (tree / ".dockerignore").write_text("# nothing\n")
    builder = StaticBuilder(buildkit, server=StaticServer(busybox_image, "busybox"))

    image = await builder.build(tree, BuildSpec(), tag=tag, labels=[f"towline.test={tag}"], report=lines)

    assert image.port == 8080
    container = docker("run", "--detach", "--env", "PORT=8123", image.reference)
    try:
        address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container)
        assert fetch(f"http://{address}:8123/") == "hello"
        assert fetch(f"http://{address}:8123/.well-known/x") == "known"
        assert docker("exec", container, "ls", "-A", "/site").split() == [".well-known", "index.html"]
        started = time.monotonic()
        docker("stop", "--time", "50", container)
        assert time.monotonic() - started < 40
    finally:
        docker("rm", "--force", container)


def fetch(url: str) -> str:
    """The body of the answer, waited for until the server listens."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")
