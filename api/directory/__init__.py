"""Organizations, their people and settings, and what is looked up: `/v1.0/organizations`, look-ups."""
