#!/usr/bin/env python3
"""Requests per second of the API, and how its list pages grow with what is stored."""

from _start import start

if __name__ == "__main__":
    start("api")
