"""Text and fields given on the command line."""
