"""Mail: what is written to whom, and how it is sent once (rules M)."""
