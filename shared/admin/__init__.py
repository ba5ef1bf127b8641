"""What an operator runs by hand, under the operator's own identity."""
