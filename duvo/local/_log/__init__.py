"""What the log shows to authors of agents: events of runs, and tracebacks."""
