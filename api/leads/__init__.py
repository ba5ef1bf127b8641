"""Requests for information: `/v1.0/leads` and `/v1.0/providers`."""
