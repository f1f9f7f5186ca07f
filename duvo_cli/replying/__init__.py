"""Answering human requests from the command line."""
