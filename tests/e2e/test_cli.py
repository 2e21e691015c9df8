"""The command line against a whole Towline: what a person or a CI job does, from a folder to a rollback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.running import RunningTowline, wait_for, web_app

from towline.errors import BuildFailed, Conflict, InvalidInput, NotFound, SourceUnavailable

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.timeout(240)]

Run = Callable[..., subprocess.CompletedProcess[str]]


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name.rstrip("!")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if name.endswith("!") else 0o644)


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with a small web app, named after the test."""
    place = tmp_path / request.node.name.removeprefix("test_")[:30].replace("_", "-").strip("-")
    _write(place, web_app("one"))
    return place


@pytest.fixture
def run(towline: RunningTowline, folder: Path) -> Run:
    """Runs a command in the folder."""
    environment = {
        **towline.environment,
        "HOME": str(folder.parent),
        "TOWLINE_URL": towline.client.connection.base_url,
        "TOWLINE_API_KEY": towline.api_key,
    }

    def run_command(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "towline", *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_command


def _good(finished: subprocess.CompletedProcess[str]) -> str:
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_folder_update_and_rollback(run: Run, towline: RunningTowline, folder: Path) -> None:
    url = _good(run("deploy", "--yes")).rstrip().splitlines()[-1]
    host = url.removeprefix("http://").partition(":")[0]
    assert towline.get(host).text == "one"
    (folder / "www" / "index.html").write_text("two")
    updated = json.loads(_good(run("deploy", "--json")))
    assert (updated["status"], updated["release"], towline.get(host).text) == ("success", 2, "two")
    assert json.loads(_good(run("deploy", "--json")))["is_cached"]
    assert "success" in _good(run("rollback", "--to", "1"))
    assert towline.get(host).text == "one"
    assert "1 *" in _good(run("releases"))
    assert json.loads(_good(run("status", "--json")))["health"] == "healthy"


def test_running_service_is_scaled_stopped_and_started(run: Run, towline: RunningTowline) -> None:
    host = _good(run("deploy", "--yes")).rstrip().splitlines()[-1].removeprefix("http://").partition(":")[0]
    _good(run("scale", "2"))
    wait_for(lambda: json.loads(_good(run("status", "--json")))["running"] == 2 or None)
    _good(run("stop"))
    wait_for(lambda: towline.get(host).status_code == 503 or None)
    _good(run("start"))
    wait_for(lambda: towline.get(host).status_code == 200 or None)
    _good(run("restart"))
    assert len(_good(run("logs", "--tail", "1")).splitlines()) <= 1
    assert "healthy" in _good(run("status"))


def test_variables_reach_the_next_deployment(run: Run, towline: RunningTowline, folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        "FROM scratch\nCOPY busybox /bin/busybox\nEXPOSE 8080\n"
        'CMD ["/bin/busybox", "sh", "-c", "mkdir /www; printf %s \\"$GREETING\\" > /www/index.html; '
        'exec /bin/busybox httpd -f -p 8080 -h /www"]\n'.replace("mkdir", "/bin/busybox mkdir")
    )
    _good(run("projects", "create", folder.name))
    _good(run("services", "create", folder.name, "--project", folder.name))
    value = "$HOME 'quoted' ü"
    _good(run("env", "set", f"GREETING={value}", "--project", folder.name))
    url = _good(run("deploy", "--project", folder.name, "--yes")).rstrip().splitlines()[-1]
    assert towline.get(url.removeprefix("http://").partition(":")[0]).text == value
    assert json.loads(_good(run("env", "--json")))["items"][0]["value"] == value
    _good(run("env", "delete", "GREETING"))
    assert _good(run("env")) == "No variable.\n"


def test_domain_leads_to_the_service(run: Run, towline: RunningTowline, folder: Path) -> None:
    _good(run("deploy", "--yes"))
    _good(run("domains", "add", "shop.example.com", "--http-only"))
    wait_for(lambda: towline.get("shop.example.com").text == "one" or None)
    again = run("domains", "add", "shop.example.com", "--http-only")
    assert again.returncode == Conflict.exit_code, again.stderr
    _good(run("domains", "remove", "shop.example.com"))
    wait_for(lambda: towline.get("shop.example.com").status_code == 404 or None)


def test_failures_say_why(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY missing /x\n")
    failed = run("deploy", "--yes")
    assert failed.returncode == BuildFailed.exit_code
    assert "missing" in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("Try: ")
    assert run("status", "nowhere/nothing").returncode == NotFound.exit_code
    assert run("projects", "create", "Not A Name").returncode == InvalidInput.exit_code
    assert run("rollback", "--to", "99").returncode in {NotFound.exit_code, InvalidInput.exit_code, Conflict.exit_code}


def test_git_repository_is_deployed(run: Run, towline: RunningTowline, folder: Path) -> None:
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*author, "commit", "-qm", "First"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True, timeout=30)
    done = json.loads(_good(run("deploy", "--git", f"file://{folder}", "--json", "--yes")))
    assert (done["message"], len(done["revision"])) == ("First", 40)
    host = done["urls"][0].removeprefix("http://").partition(":")[0]
    assert towline.get(host).text == "one"
    missing = run("deploy", "--project", folder.name, "--ref", "nowhere")
    assert missing.returncode == SourceUnavailable.exit_code, missing.stderr


def test_bundle_events_keys_and_audit(run: Run, folder: Path) -> None:
    deployment = json.loads(_good(run("deploy", "--yes", "--json")))
    _good(run("deployments", "download", deployment["id"], "-o", "bundle.tar.zst"))
    assert (folder / "bundle.tar.zst").stat().st_size > 1000
    lines = _good(run("events", "--since", "0", "--count", "3", "--json")).splitlines()
    sequences = [json.loads(line)["sequence"] for line in lines]
    assert sequences == sorted(set(sequences))
    key = json.loads(_good(run("keys", "create", "ci", "--project", folder.name, "--scope", "view_projects", "--json")))
    _good(run("keys", "delete", key["id"], "--yes"))
    assert "keys.create" in _good(run("audit"))
    _good(run("projects", "delete", folder.name, "--yes"))
    assert run("projects", "show", folder.name).returncode == NotFound.exit_code
