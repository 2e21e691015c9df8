"""Git platforms: each a table of what differs from git, and how its webhooks are verified and read."""
