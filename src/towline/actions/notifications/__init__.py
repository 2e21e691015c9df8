"""Notifications: channels, what they are told of, and sending."""
