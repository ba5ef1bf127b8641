"""One deal from the invitation to the win, played through the HTTP API: `python -m samples.demo`."""
