"""Hooks: what repositories tell of pushes, verified, kept, and turned into deployments."""
