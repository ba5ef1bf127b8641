"""The names of the API's codes in each language that the service speaks."""
