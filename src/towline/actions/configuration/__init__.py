"""What instances are configured with: variables of all levels, resolved, compared and remembered."""
