"""One run: its state, and the flows that start, read, follow, wait for and reply to it."""
