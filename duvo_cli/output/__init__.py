"""Text and JSON for stdout and stderr."""
