"""Durable orchestrations: they wait and call activities; all reads and effects happen in activities."""
