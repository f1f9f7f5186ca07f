"""Settings of a client, their checks, and the file of profiles."""
