"""Batches: one run for each input, started at most once, with a journal."""
