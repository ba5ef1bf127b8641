"""Reference data: the display names of codes in each language, and the review team's calendar."""
