"""Commands that an operator runs by hand, with the operator's own identity."""
