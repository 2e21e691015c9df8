"""How long it takes from a pull request's webhook until its preview answers, beside bare builds and starts."""

import secrets
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from bench.parts.answers import wait_for_answer
from bench.parts.bare import BareDocker, written
from bench.parts.report import Run
from tests.e2e.parts import BASE, app, build_base, docker
from tests.e2e.requests_platform import GitPlatform, running_platform
from tests.running import RunningTowline, running_towline
from tests.sources.certificates import write_certificate

from towline.contract.deployments import DeploymentQuery
from towline.contract.hooks import HookCreate
from towline.contract.previews import PreviewRules

_ANSWER_SECONDS = 120


@dataclass
class RequestTimes:
    """Seconds, one entry per round."""

    answers: list[float] = field(default_factory=list[float])
    builds: list[float] = field(default_factory=list[float])
    starts: list[float] = field(default_factory=list[float])
    parts: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Where the time went: until the deployment was there, until it began, and each of its steps."""


def measure_requests(run: Run, bare: BareDocker) -> RequestTimes:
    """Each round opens a request for a tree nobody has built before, and builds and starts another by itself."""
    times = RequestTimes()
    with tempfile.TemporaryDirectory(prefix="towline-bench-") as name:
        folder = Path(name)
        build_base(folder / "base")
        certificate = write_certificate(folder / "certificate.pem")
        try:
            with (
                running_platform(folder, certificate) as platform,
                running_towline(GIT_SSL_CAINFO=str(certificate)) as towline,
            ):
                _measure_rounds(run, bare, towline, _connect(towline, platform), times)
        finally:
            docker("image", "rm", "--force", BASE)
    return times


def _measure_rounds(
    run: Run, bare: BareDocker, towline: RunningTowline, platform: GitPlatform, times: RequestTimes
) -> None:
    _answer(towline, platform, 1)  # the first one also fills caches
    for number in run.rounds("request", quick=3, full=10, by=25):
        seconds, told_at = _answer(towline, platform, number + 2)
        times.answers.append(seconds)
        _note_parts(towline, times, number + 2, told_at=told_at)
        with written(app(secrets.token_hex(16))) as tree:
            image, seconds = bare.build(tree, "preview")
        times.builds.append(seconds)
        container = bare.start(image)
        times.starts.append(container.seconds)
        bare.remove(container)


def _note_parts(towline: RunningTowline, times: RequestTimes, number: int, *, told_at: datetime) -> None:
    query = DeploymentQuery(project="bench", environment=f"pr-{number}")
    deployment = towline.client.deployments.list(query).items[0]
    found = {"made": deployment.created_at - told_at}
    if deployment.started_at is not None:
        found["claimed"] = deployment.started_at - deployment.created_at
    for name, took in found.items():
        times.parts.setdefault(name, []).append(took.total_seconds())
    for step in deployment.steps:
        times.parts.setdefault(step.step, []).append(step.seconds or 0.0)


def _connect(towline: RunningTowline, platform: GitPlatform) -> GitPlatform:
    source = {"type": "git", "config": {"url": platform.repository_url, "branch": "main"}}
    towline.create_service("bench", source=source)
    towline.client.previews.update_rules("bench", PreviewRules(pull_requests=True, cap=100))
    hook = towline.client.hooks.create("bench", HookCreate(source="github", repository=platform.repository_url))
    return platform.connect(hook)


def _answer(towline: RunningTowline, platform: GitPlatform, number: int) -> tuple[float, datetime]:
    """Seconds from the webhook of a request's opening to the first answer of what is in it, and when it was sent."""
    text = secrets.token_hex(16)
    revision = platform.push(f"topic-{number}", app(text))
    told_at, began_at = datetime.now(UTC), monotonic()
    platform.tell_of_request("opened", number, revision, branch=f"topic-{number}")
    answered_at = wait_for_answer(
        "127.0.0.1",
        towline.http_port,
        lambda body: body == text.encode(),
        host=f"bench-pr-{number}.localhost",
        timeout=_ANSWER_SECONDS,
    )
    return answered_at - began_at, told_at
