"""The activities that orchestrations call. Each may run twice, and takes the time from its caller."""
