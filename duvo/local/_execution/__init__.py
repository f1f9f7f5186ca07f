"""Durable execution of turns, on DBOS."""
