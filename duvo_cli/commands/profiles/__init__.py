"""duvo profiles."""
