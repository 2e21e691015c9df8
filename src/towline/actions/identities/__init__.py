"""Signing in with other providers: who they are, what they say, and to which user that leads."""
