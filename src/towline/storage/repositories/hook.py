"""What git runs before it takes a push: tells Towline of it, shows what Towline says, and ends as Towline decides.

Git starts it by its path, so it imports nothing but Python's own library.
"""

import json
import os
import socket
import sys


def main() -> int:
    """Ask at the gate; the exit code, 0 only when Towline lets the push in."""
    changes = [line.rstrip(b"\n").decode(errors="surrogateescape").split(" ", 2) for line in sys.stdin.buffer]
    question = {"changes": changes, "quarantine": os.environ.get("GIT_QUARANTINE_PATH", "")}
    with socket.socket(fileno=int(os.environ["TOWLINE_GATE"])) as gate:
        gate.sendall(json.dumps(question).encode() + b"\n")
        for line in gate.makefile("rb"):
            kind, _, text = line.rstrip(b"\n").partition(b" ")
            if kind == b"end":
                return 0 if text == b"0" else 1
            sys.stdout.buffer.write(text + b"\n")
            sys.stdout.buffer.flush()
    sys.stdout.buffer.write(b"Towline ended while the push was on its way; push again.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
