"""Tests of agents: a server that is emptied after each."""
