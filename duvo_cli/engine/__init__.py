"""The engine in the foreground, for `duvo dev` and `duvo serve`."""
