"""The rules of the domain: pure functions and frozen dataclasses; no I/O, no clock, no Azure."""
