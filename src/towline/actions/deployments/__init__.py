"""Deployments: requested, run, cancelled, rolled back, swept."""
