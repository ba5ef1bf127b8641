"""The same small workflow on several durable engines, each durable by its own means, in one run on one machine."""
