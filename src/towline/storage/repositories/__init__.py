"""Bare git repositories that are pushed to, and the gate that every push has to pass."""
