"""Pushing to Towline with the real git client, real builds and real containers."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.e2e.parts import app, write_tree
from tests.running import RunningTowline

from towline.contract.keys import KeyCreate

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(240)]


def git(folder: Path, *arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run git in a work tree."""
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=folder, env=dict(environment), capture_output=True, text=True, timeout=120, check=False
    )


def test_a_push_becomes_a_live_url_and_a_failing_build_refuses_it(
    towline: RunningTowline, project: str, tmp_path: Path
) -> None:
    work = write_tree(tmp_path / "work", app("from a push", more="RUN echo built-by-a-push"))
    author = {f"GIT_{role}_{part}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0", **author}
    key = towline.client.keys.create(KeyCreate(name="push", scopes=["deploy", "view_projects"]))
    towline.secrets.values.add(key.value)
    towline.create_service(project)
    shown = towline.command("git-remote", f"{project}/web", "--take-pushes")
    assert shown.returncode == 0, shown.stderr
    url = shown.stdout.strip()
    assert url.endswith(f"/git/{project}/web.git")
    address = url.replace("//", f"//ada:{key.value}@", 1)
    beginning = (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "Open"))
    for arguments in (*beginning, ("remote", "add", "towline", address)):
        assert git(work, *arguments, environment=environment).returncode == 0

    pushed = git(work, "push", "towline", "main", environment=environment)
    assert pushed.returncode == 0, pushed.stderr
    assert "built-by-a-push" in pushed.stderr
    assert "is live" in pushed.stderr
    host = f"{project}.localhost" if f"//{project}.localhost" in pushed.stderr else f"web-{project}.localhost"
    assert towline.get(host).text == "from a push"
    revision = git(work, "rev-parse", "HEAD", environment=environment).stdout

    write_tree(work, app("never", more="RUN echo this-step-fails && exit 3"))
    git(work, "commit", "-qam", "Break it", environment=environment)
    refused = git(work, "push", "towline", "main", environment=environment)
    assert refused.returncode == 1
    assert "this-step-fails" in refused.stderr
    assert "pre-receive hook declined" in refused.stderr
    assert git(work, "ls-remote", "towline", "main", environment=environment).stdout.split()[0] == revision.strip()
    assert towline.get(host).text == "from a push"
