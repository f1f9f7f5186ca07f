"""Batches on the command line: progress, results and summary."""
