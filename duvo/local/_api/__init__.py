"""The HTTP API that the engine serves."""
