"""Dumps and snapshots: asked for, taken, and kept by their rules; deployments take some themselves."""
