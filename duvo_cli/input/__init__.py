"""Text and fields from the command line, stdin and files."""
