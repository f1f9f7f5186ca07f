"""Help topics, manual pages and completion scripts."""
