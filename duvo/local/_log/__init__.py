"""The log for authors of agents: events of runs, and tracebacks."""
