"""Graphs of services: pure functions and values, without I/O."""
