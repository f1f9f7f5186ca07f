"""The resources of the API: one file per noun, with its public classes and calls."""
