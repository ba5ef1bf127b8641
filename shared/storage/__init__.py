"""Table Storage: the only package that knows tables, partition keys and row keys."""
