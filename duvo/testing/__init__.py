"""Tests of agents, and of programs that use them.

With pytest, the fixtures `duvo_engine` and `duvo_client` need no import.
"""
