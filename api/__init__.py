"""The HTTP operations and timers. Handlers parse a request, call the shared code, and return a response."""
