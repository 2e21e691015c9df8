"""Groups: deployments that are requested, run, switched and ended together."""
