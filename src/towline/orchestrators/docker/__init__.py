"""The Docker Engine on one machine as an orchestrator, one file per noun."""
