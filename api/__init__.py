"""HTTP and timer triggers, one module per resource. Each authenticates, parses, calls and answers; nothing more."""
