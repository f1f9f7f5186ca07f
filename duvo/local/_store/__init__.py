"""What the API serves, as SQL: commands and queries on runs and conversations."""
