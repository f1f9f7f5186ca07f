"""Running the engine from a command, for duvo dev and duvo serve."""
