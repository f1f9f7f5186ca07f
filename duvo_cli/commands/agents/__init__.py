"""duvo agents."""
