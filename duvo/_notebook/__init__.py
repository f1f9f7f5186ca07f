"""What notebooks show: tables, and output that changes."""
