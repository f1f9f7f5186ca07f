"""`duvo runs`."""
