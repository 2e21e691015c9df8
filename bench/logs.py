#!/usr/bin/env python3
"""How soon a line that a build prints is seen by 500 subscribers, and whether all lines are kept."""

from _start import start

if __name__ == "__main__":
    start("logs")
