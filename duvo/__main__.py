"""`python -m duvo` is the command `duvo`."""

import runpy

runpy.run_module("duvo_cli", run_name="__main__", alter_sys=True)
