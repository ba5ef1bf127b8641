"""Measures this tree against another commit of the repository, both in one run, over HTTP alone."""
