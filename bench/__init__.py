"""Benchmarks: rates, counts and ratios. They are not part of the tests."""
