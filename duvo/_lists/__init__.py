"""Lists of the API, which come in pages."""
