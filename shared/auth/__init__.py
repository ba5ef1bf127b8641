"""Who is calling (`tokens`), and whom the directory knows it as (`callers`)."""
