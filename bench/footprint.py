#!/usr/bin/env python3
"""Memory and CPU of an idle Towline, and how soon a stopped one is ready again."""

from _start import start

if __name__ == "__main__":
    start("footprint")
