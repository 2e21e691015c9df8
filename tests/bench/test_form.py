"""What bench programs print has one form, and the figures are those that are promised."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from bench.parts.report import Figure, Result, Run, as_json, as_table, percentile, result
from bench.programs import access, api, deploy, footprint, group, logs, pages, preview, rollout

_BENCH = Path(__file__).parent.parent.parent / "bench"
_FORM = {
    "figure": str,
    "value": float,
    "unit": str,
    "target": float,
    "better": str,
    "met": bool,
    "n": int,
    "min": float,
    "max": float,
    "reference": str,
}
_PROMISED = {
    "deploy": (deploy.FIGURES, ("deploy_overhead_s", "rollback_overhead_s", "unchanged_tree_deploy_s")),
    "rollout": (
        rollout.FIGURES,
        (
            "failed_requests",
            "internal_failed_requests",
            "cut_streams",
            "replica_kill_failed",
            "replica_kill_routed_away_s",
        ),
    ),
    "group": (group.FIGURES, ("group_ratio_chain_10", "group_ratio_star_50", "group_failed_requests")),
    "footprint": (footprint.FIGURES, ("idle_pss_mb", "idle_cpu_percent", "start_to_ready_s")),
    "preview": (
        preview.FIGURES,
        ("webhook_to_answer_overhead_s", "webhook_ack_p99_ms", "webhooks_lost", "webhooks_doubled"),
    ),
    "logs": (logs.FIGURES, ("line_latency_p99_ms", "lines_lost")),
    "pages": (
        pages.FIGURES,
        (
            "first_load_kb",
            "next_load_kb",
            "list_p95_ms",
            "log_open_s",
            "log_follow_lines_lost",
            "log_follow_longest_task_ms",
            "event_latency_p99_ms",
            "readers_memory_mb",
        ),
    ),
    "access": (access.FIGURES, ("sign_in_difference_percent", "access_check_ms")),
    "api": (api.FIGURES, ("list_rps_32", "list_p50_ms_1", "access_check_ms", "growth_ratio")),
}


@pytest.mark.parametrize("name", _PROMISED)
def test_json_form_has_every_promised_figure_and_nothing_else(name: str) -> None:
    figures, promised = _PROMISED[name]
    found = json.loads(as_json(name, "a machine", [_measured(figure) for figure in figures]))
    assert (found["bench"], found["machine"], set(found)) == (name, "a machine", {"bench", "machine", "results"})
    assert tuple(row["figure"] for row in found["results"]) == promised
    for row in found["results"]:
        assert {key: type(value) for key, value in row.items()} == _FORM
        assert row["better"] in {"lower", "higher"}


@pytest.mark.slow
@pytest.mark.parametrize("name", _PROMISED)
def test_every_program_says_how_it_is_run(name: str) -> None:
    shown = subprocess.run(
        [sys.executable, str(_BENCH / f"{name}.py"), "--help"], capture_output=True, text=True, timeout=30, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "--quick" in shown.stdout
    assert "--json" in shown.stdout


@pytest.mark.parametrize(
    ("better", "samples", "is_met"),
    [
        ("lower", [1.0, 2.0, 9.0], True),
        ("lower", [1.0, 2.1, 9.0], False),
        ("higher", [1.0, 2.0, 9.0], True),
        ("higher", [1.0, 1.9, 9.0], False),
    ],
)
def test_the_median_is_held_against_the_target(better: str, samples: Sequence[float], *, is_met: bool) -> None:
    figure = Figure("any", "s", 2.0, "lower" if better == "lower" else "higher")
    row = result(figure, samples, reference="nothing").as_row()
    assert (row["met"], row["n"], row["min"], row["max"]) == (is_met, 3, 1.0, 9.0)


def test_the_table_shows_the_target_beside_the_result() -> None:
    table = as_table("any", "a machine", [_measured(Figure("speed", "requests/s", 800, "higher"))])
    assert "a machine" in table
    assert "2 requests/s  ≥ 800   NO" in table


def test_percentile_is_the_sample_that_so_many_do_not_exceed() -> None:
    samples = [float(number) for number in range(1, 201)]
    assert (percentile(samples, 50), percentile(samples, 99), percentile([7.0], 99)) == (100.0, 198.0, 7.0)


def test_a_quick_run_starts_no_round_when_its_time_is_over() -> None:
    late = Run(is_quick=True, began_at=-1000.0)
    assert list(late.rounds("round", quick=5, full=9, by=20)) == [0]
    assert list(Run(is_quick=True).rounds("round", quick=5, full=9, by=20)) == [0, 1, 2, 3, 4]


def _measured(figure: Figure) -> Result:
    return result(
        figure, [1.0, 2.0, 3.0], reference="a bare thing", target=1.0 if figure.target is None else figure.target
    )
