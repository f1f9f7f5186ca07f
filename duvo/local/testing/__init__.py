"""The testing kit: a server for all tests, and agents without a server."""
