"""The clock, deadlines, and dates in headers."""
