"""Flows and their drivers.

A flow is a generator: it yields steps, such as a request, and receives their
results. It never sends, sleeps, waits for a lock or calls user code itself. A
driver performs the steps, blocking or async. So both clients share the logic.
"""
