"""`duvo agents`."""
