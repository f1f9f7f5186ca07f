"""Benchmarks: `python -m tests.benchmarks.NAME` prints a line for each figure, with its target.

They want a quiet machine, and none of them is part of the tests. Times and CPU
are compared within one process or in turn, never with figures of another day.
"""
