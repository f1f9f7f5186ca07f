"""The `duvo` command: flags in, SDK calls, text or JSON out."""
