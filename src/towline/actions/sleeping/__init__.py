"""Sleep: environments that nobody asks for are stopped, and started again by the next request."""
