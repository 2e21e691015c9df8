"""Reading BuildKit's plain progress, and the error that follows from it."""

from collections.abc import Sequence

import pytest

from towline.builders.failures import build_failure, timeout_failure
from towline.builders.progress import Progress
from towline.errors import BuildFailed, DiskFull, ImageNotFound, OutOfMemory, TowlineError, Unavailable

QUIET = """\
#1 [internal] load build definition from Dockerfile
#1 sha256:bcb249a8dfb22143460e1e07b6d793c95047873d8f4d2f8fef54f7bed56c8d43
#1 transferring dockerfile: 130B done
#1 DONE 0.0s

#3 [internal] load metadata for docker.io/library/base:latest
#3 DONE 0.4s
"""
FAILING = """\
#4 [1/2] FROM docker.io/library/base
#4 resolve docker.io/library/base done
#4 sha256:aa 1.05MB / 29MB 0.1s
#4 extracting sha256:aa
#4 CACHED

#5 [2/2] RUN make
#5 sha256:a7eac3143123866dab2d5e9bbb998122dca172580ba926e402ce7ddfb43c46d2
#5 0.133 cc main.c
#5 12.400 main.c: syntax error
#5 ...

#6 [other 1/1] RUN true
#6 DONE 2.5s

#5 [2/2] RUN make
#5 13.000 giving up
#5 ERROR: executor failed running [/bin/sh -c make]: exit code: 2
------
 > [2/2] RUN make:
#5 0.133 cc main.c
#5 12.400 main.c: syntax error
------
executor failed running [/bin/sh -c make]: exit code: 2
"""
NEWER_END = """\
#5 [2/2] RUN make
#5 0.1 cc main.c
#5 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
------
 > [2/2] RUN make:
0.1 cc main.c
------
Dockerfile:2
--------------------
   1 |     FROM base
   2 | >>> RUN make
--------------------
ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
"""


def read(text: str) -> tuple[Progress, list[str]]:
    progress = Progress()
    return progress, [shown for line in text.splitlines() if (shown := progress.read(line)) is not None]


def failure(text: str, *, is_out_of_memory: bool = False) -> TowlineError:
    progress, _ = read(text)
    return build_failure(progress, exit_code=1, tail=text, is_out_of_memory=is_out_of_memory, memory_bytes=64 * 2**20)


def test_steps_and_their_output_are_shown_and_noise_is_not() -> None:
    progress, shown = read(QUIET + FAILING)

    assert shown == [
        "[1/2] FROM docker.io/library/base",
        "[1/2] cached",
        "[2/2] RUN make",
        "cc main.c",
        "main.c: syntax error",
        "[other 1/1] RUN true",
        "[other 1/1] done in 2.5 s",
        "[2/2] RUN make",
        "giving up",
        "failed: executor failed running [/bin/sh -c make]: exit code: 2",
    ]
    assert progress.failed_step == "[2/2] RUN make"
    assert progress.last_output == ["cc main.c", "main.c: syntax error", "giving up"]


def test_newer_buildkit_reads_the_same() -> None:
    progress, shown = read(NEWER_END)

    assert shown[2:] == [
        'failed: process "/bin/sh -c make" did not complete successfully: exit code: 2',
        "Dockerfile:2",
        "   1 |     FROM base",
        "   2 | >>> RUN make",
    ]
    assert progress.failed_step == "[2/2] RUN make"


@pytest.mark.parametrize("text", [FAILING, NEWER_END])
def test_failed_step_is_named_with_its_exit_code_and_last_lines(text: str) -> None:
    error = failure(text)

    assert type(error) is BuildFailed
    assert error.message == "The build step “[2/2] RUN make” ended with exit code 2."
    assert "cc main.c" in error.hint


def test_killed_step_is_out_of_memory() -> None:
    by_code = failure(FAILING.replace("exit code: 2", "exit code: 137"))
    by_kernel = failure(FAILING, is_out_of_memory=True)

    assert isinstance(by_code, OutOfMemory)
    assert isinstance(by_kernel, OutOfMemory)
    assert "64 MB" in by_kernel.message


METADATA = "#3 [internal] load metadata for docker.io/no/such:1\n#3 ERROR: "
CASES: Sequence[tuple[str, type[TowlineError], str, str]] = [
    (
        METADATA + 'failed to do request: Head "https://x": dial tcp: lookup x: no such host\n',
        ImageNotFound,
        "base image docker.io/no/such:1",
        "docker load",
    ),
    (
        METADATA + "pull access denied, repository does not exist\n",
        ImageNotFound,
        "base image docker.io/no/such:1",
        "credentials",
    ),
    (
        "#3 resolve image config for docker.io/docker/dockerfile:1\n#3 ERROR: failed to do request: no such host\n",
        BuildFailed,
        "build frontend docker.io/docker/dockerfile:1",
        "# syntax=",
    ),
    (
        "#5 [2/2] RUN x\n#5 0.1 write /a: no space left on device\n#5 ERROR: executor failed: exit code: 1\n",
        DiskFull,
        "no space left",
        "disk",
    ),
    (
        "failed to solve with frontend dockerfile.v0: dockerfile parse error line 2: unknown instruction: RUNN\n",
        BuildFailed,
        "cannot be read: dockerfile parse error line 2",
        "line",
    ),
    (
        '#6 [2/2] COPY a /\n#6 ERROR: "/a" not found: not found\nfailed to compute cache key: "/a" not found\n',
        BuildFailed,
        "“[2/2] COPY a /”",
        "",
    ),
    (
        "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n",
        Unavailable,
        "does not answer",
        "",
    ),
]


@pytest.mark.parametrize(("text", "kind", "message", "hint"), CASES)
def test_failure_says_what_happened_and_what_to_try(
    text: str, kind: type[TowlineError], message: str, hint: str
) -> None:
    error = failure(text)

    assert isinstance(error, kind)
    assert message in error.message
    assert hint in error.hint


def test_time_out_names_the_step_that_ran_last() -> None:
    progress, _ = read(FAILING.partition("#5 ...")[0])

    error = timeout_failure(progress, seconds=90)

    assert error.message == "The build took longer than 90 s; the step “[2/2] RUN make” ran last."
    assert error.hint.endswith("cc main.c\nmain.c: syntax error")
