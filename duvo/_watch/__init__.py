"""Watching many runs through the list of runs."""
