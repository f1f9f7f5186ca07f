"""Watching many runs by polling the list of runs."""
