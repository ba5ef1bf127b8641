"""The contract for programs and for people: `/v1.0/openapi.json` and `/docs`."""
