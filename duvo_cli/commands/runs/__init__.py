"""duvo runs."""
