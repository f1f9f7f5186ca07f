"""Start, follow, answer and stop Duvo agent runs from Python."""

__version__ = "0.1.0"
