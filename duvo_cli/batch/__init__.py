"""Running a batch from a command: input, progress and results."""
