"""Connections: credentials for git platforms, and calls of their APIs."""
