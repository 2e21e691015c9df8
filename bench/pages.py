#!/usr/bin/env python3
"""Size and speed of the dashboard's pages, how soon a long log opens, and what many readers cost."""

from _start import start

if __name__ == "__main__":
    start("pages")
