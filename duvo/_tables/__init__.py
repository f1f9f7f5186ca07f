"""CSV and JSON lines files: their rows, the messages made from them, and results."""
