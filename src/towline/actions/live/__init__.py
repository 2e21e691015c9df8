"""The live view: events and log lines to any number of listeners, resumable, none slowed by another."""
