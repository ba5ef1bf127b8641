"""Measurements: rates, counts and ratios. Never part of the tests."""
