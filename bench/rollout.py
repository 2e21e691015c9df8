#!/usr/bin/env python3
"""Failed requests and cut streams while versions, replicas and containers change under load."""

from _start import start

if __name__ == "__main__":
    start("rollout")
