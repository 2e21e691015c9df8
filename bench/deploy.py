#!/usr/bin/env python3
"""Deploy and rollback times, beside those of bare Docker calls."""

from _start import start

if __name__ == "__main__":
    start("deploy")
