"""Where build steps are found in the cgroup tree, and what is written to limit them, on made-up trees."""

from pathlib import Path

import pytest

from towline.builders.cgroups import StepLimits, StepRoot, count_kills, find_step_roots, memory_limit, write_step_limits

LIMITS = StepLimits(memory_bytes=64 * 2**20, cpus=0.5, pids=100)


def folders(top: Path, *names: str) -> None:
    for name in names:
        (top / name).mkdir(parents=True)


def test_version_1_with_the_cgroupfs_driver(tmp_path: Path) -> None:
    folders(tmp_path, "memory/docker/buildkit/abc", "memory/docker/0123", "cpu/docker", "pids/docker")

    [root] = find_step_roots(tmp_path)

    assert root == StepRoot(
        tmp_path / "memory/docker/buildkit",
        tmp_path / "cpu/docker/buildkit",
        tmp_path / "pids/docker/buildkit",
        version=1,
    )
    assert root.list_steps() == {"abc"}


def test_version_2_with_the_systemd_driver_leaves_ordinary_containers_alone(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    folders(tmp_path, "system.slice/system.slice:docker:abc", "system.slice/docker-0123.scope", "own.slice:docker:def")

    roots = find_step_roots(tmp_path)

    assert [(root.memory, root.version, root.list_steps()) for root in roots] == [
        (tmp_path, 2, {"own.slice:docker:def"}),
        (tmp_path / "system.slice", 2, {"system.slice:docker:abc"}),
    ]


def test_machine_without_builds_has_no_step_roots(tmp_path: Path) -> None:
    assert find_step_roots(tmp_path) == []
    assert find_step_roots(tmp_path / "missing") == []


def test_limits_in_version_1(tmp_path: Path) -> None:
    folders(tmp_path, "memory/docker/buildkit/abc", "cpu/docker/buildkit/abc", "pids/docker/buildkit/abc")
    [root] = find_step_roots(tmp_path)

    assert write_step_limits(root, "abc", LIMITS)

    assert written(tmp_path) == {
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "50000",
        "pids.max": "100",
        "memory.limit_in_bytes": "67108864",
        "memory.memsw.limit_in_bytes": "67108864",
    }


def test_limits_in_version_2(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    folders(tmp_path, "docker/buildkit/abc")
    [root] = find_step_roots(tmp_path)

    assert write_step_limits(root, "abc", LIMITS)

    assert written(tmp_path) == {
        "cgroup.controllers": "",
        "cpu.max": "50000 100000",
        "pids.max": "100",
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "memory.max": "67108864",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [("memory.oom_control", "oom_kill_disable 0\noom_kill 2\n"), ("memory.events", "max 9\noom_kill 2\n")],
)
def test_kills_are_counted(tmp_path: Path, name: str, text: str) -> None:
    version = 2 if name == "memory.events" else 1
    root = StepRoot(tmp_path, tmp_path, tmp_path, version=version)
    folders(tmp_path, "abc", "quiet")
    (tmp_path / "abc" / name).write_text(text)

    assert (count_kills(root, "abc"), count_kills(root, "quiet"), count_kills(root, "gone")) == (2, 0, 0)
    assert memory_limit(root) > 2**50


def test_step_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    assert write_step_limits(StepRoot(tmp_path, tmp_path, tmp_path, version=2), "gone", LIMITS)


def written(top: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in top.rglob("*") if path.is_file()}
