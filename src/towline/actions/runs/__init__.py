"""Runs of cron services: asked for by the conductor or by someone, carried out by a worker."""
