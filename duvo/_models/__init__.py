"""The server's JSON, checked and built into frozen objects."""
