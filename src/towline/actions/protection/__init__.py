"""Protection: who may visit the routes of an environment, and how a visitor shows it."""
