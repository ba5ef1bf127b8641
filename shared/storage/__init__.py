"""Table Storage: the only code that knows tables, partition keys and row keys."""
