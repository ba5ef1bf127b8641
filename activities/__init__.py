"""Effects and look-ups that orchestrations ask for. Each may run twice, and takes the time from its caller."""
