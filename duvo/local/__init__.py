"""An embedded engine that serves the same API on this machine."""
