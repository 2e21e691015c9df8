"""Runs inside a build: prints lines at a rate, each with the time it was written and its number; no library needed.

`python printing_program.py FIRST COUNT PER_SECOND DELAY FORM`: `timed` lines are `T<ns>N<number>E`, `short` ones
`L<number>`.
"""

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


if __name__ == "__main__":
    _, first_number, line_count, rate, wait, form = sys.argv
    main(int(first_number), int(line_count), float(rate), delay=float(wait), is_timed=form == "timed")
