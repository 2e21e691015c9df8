#!/usr/bin/env python3
"""Whether the time of a sign-in tells who has an account, and what finding out who calls costs."""

from _start import start

if __name__ == "__main__":
    start("access")
