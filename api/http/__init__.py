"""What every HTTP operation shares: reading a request, answering it, and the conventions of docs/api.md."""
