"""CSV and JSON lines files: rows, the messages made from them, and results."""
