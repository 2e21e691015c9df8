#!/usr/bin/env python3
"""How soon webhooks are acknowledged while builds take a whole core, and whether each is worked on once."""

from _start import start

if __name__ == "__main__":
    start("preview")
