"""Flows and their drivers.

A flow is a generator that says what happens: it yields a step and gets back
the step's result. It never sends, sleeps, locks or calls the user. A driver
performs the steps, blocking or async, for a result or for items. Each decision
is written once, and serves both clients.
"""
