"""The effects and look-ups that orchestrations ask for. Each may run twice, and each takes the time from its caller."""
