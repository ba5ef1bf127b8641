"""The real platform on this machine: Azure's Python, the Functions Core Tools and the durable engine."""
