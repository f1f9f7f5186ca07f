"""The statuses of a run."""

PENDING = "pending"
RUNNING = "running"
WAITING = "waiting"
COMPLETED = "completed"
FAILED = "failed"
INTERRUPTED = "interrupted"

ENDED = (COMPLETED, FAILED, INTERRUPTED)
RESUMABLE = (COMPLETED, INTERRUPTED)
KNOWN = ("not_started", PENDING, "starting", RUNNING, WAITING, *ENDED)

IN_FILTERS = {"stopped": INTERRUPTED, "needs_attention": WAITING}
"""Other names of statuses in the filters of lists."""
