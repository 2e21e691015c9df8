#!/usr/bin/env python3
"""Times of services deployed together, beside the bare critical path of the same containers."""

from _start import start

if __name__ == "__main__":
    start("group")
