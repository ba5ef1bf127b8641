"""The real platform on this machine: the Python that Azure runs, and the Functions Core Tools."""
