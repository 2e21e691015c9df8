"""Restores: backups brought back into new services and volumes, and the conductor's part in all of it."""
