"""Fakes with state, and a small world, for tests that need no network."""
