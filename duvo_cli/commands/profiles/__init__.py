"""`duvo profiles`."""
