"""Runs inside a build: prints lines at a rate, each with the time it was written and its number; no library needed.

`python printing_program.py FIRST COUNT PER_SECOND DELAY FORM`: `timed` lines are `T<ns>N<number>E`, `short` ones
`L<number>`. With `signal` in place of the delay it says `ready`, waits for SIGUSR1, and stays when all is printed.
"""

import signal
import sys
import time


def main(first: int, count: int, per_second: float, *, delay: float, is_timed: bool) -> None:
    """Print, as evenly as the rate asks for."""
    time.sleep(delay)
    began_at = time.monotonic()
    for done in range(count):
        ahead = done / per_second - (time.monotonic() - began_at)
        if ahead > 0.002:
            sys.stdout.flush()
            time.sleep(ahead)
        number = first + done
        sys.stdout.write(f"T{time.time_ns()}N{number}E\n" if is_timed else f"L{number:06d}\n")
    sys.stdout.flush()


def wait_for_signal() -> None:
    """Return once the signal has come; one that comes early is not lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait([signal.SIGUSR1])


if __name__ == "__main__":
    _, first_number, line_count, rate, wait, form = sys.argv
    is_service = wait == "signal"
    if is_service:
        wait_for_signal()
    delay = 0.0 if is_service else float(wait)
    main(int(first_number), int(line_count), float(rate), delay=delay, is_timed=form == "timed")
    if is_service:
        signal.pause()
