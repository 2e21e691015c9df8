"""Pushes to Towline's own repositories: let in when the deployment that they ask for is live, refused otherwise."""
