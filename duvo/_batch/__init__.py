"""Batches: one run for each input, at most once, with a journal."""
