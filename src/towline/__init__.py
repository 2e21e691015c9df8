"""Towline: a self-hosted universal deployment platform."""

__version__ = "0.1.0"
