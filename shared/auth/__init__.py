"""Authentication: bearer tokens (`tokens`), and the caller's entry in the directory (`callers`)."""
