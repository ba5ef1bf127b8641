"""Records to start a test from."""
