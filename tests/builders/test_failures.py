"""What the end of a docker client means."""

import pytest

from towline.builders.failures import build_failure
from towline.builders.progress import Progress
from towline.errors import BuildFailed, OrchestratorUnavailable, TowlineError


def failure_of(*lines: str) -> TowlineError:
    progress = Progress()
    for line in lines:
        progress.read(line)
    return build_failure(progress, exit_code=1, tail="\n".join(lines), is_out_of_memory=False, memory_bytes=2**20)


@pytest.mark.parametrize(
    "last",
    [
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        'error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.41/build?dockerfile=": EOF',
        "unexpected EOF",
        "cannot write /dev/shm/x/image-id because server did not provide an image ID",
        "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
    ],
)
def test_a_daemon_that_was_lost_is_no_fault_of_the_build(last: str) -> None:
    error = failure_of('#5 [2/3] RUN ["/bin/make"]', "#5 0.2 compiling", last)
    assert type(error) is OrchestratorUnavailable
    assert error.retryable


def test_a_step_that_only_prints_such_words_is_a_failed_build() -> None:
    error = failure_of(
        "#5 [2/3] RUN docker ps",
        "#5 0.2 Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
        "#5 ERROR: executor failed running [/bin/sh -c docker ps]: exit code: 1",
        "executor failed running [/bin/sh -c docker ps]: exit code: 1",
    )
    assert type(error) is BuildFailed
