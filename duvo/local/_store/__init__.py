"""Runs and conversations in SQL: commands, queries and turns."""
