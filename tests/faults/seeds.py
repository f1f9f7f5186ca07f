"""Seeds that once failed, and why."""

from __future__ import annotations

_NEVER_SENT = (
    "after a refused connection, any later failure of the same call counted as one that never "
    "arrived, so the change was repeated or reported as not made"
)
_REPLIED_AGAIN = "a reply of unknown outcome was repeated while the run could not be read"
_CUT_HEAD = "a head that was cut counted as a response without a body"
_SMALL_PAGES = (
    "where pages were smaller than requested, the end was found on the way back to a lost place"
)
_OLD_NEWS = (
    "a run that was returned as ended became running again, by what a replying thread had read "
    "before"
)
_SKIPPED = "where pages were smaller than requested, the place to continue from was not found"

FOUND = {
    ("start", 57): _NEVER_SENT,
    ("start", 61): _NEVER_SENT,
    ("map", 27): _NEVER_SENT,
    ("post", 171): _NEVER_SENT,
    ("respond", 25): _NEVER_SENT,
    ("follow", 50): _REPLIED_AGAIN,
    ("follow", 88): _REPLIED_AGAIN,
    ("wait", 53): _REPLIED_AGAIN,
    ("wait", 72): _REPLIED_AGAIN,
    ("follow", 40): _CUT_HEAD,
    ("follow", 73): _CUT_HEAD,
    ("wait", 21): _CUT_HEAD,
    ("wait", 76): _CUT_HEAD,
    ("follow", 14): _SMALL_PAGES,
    ("follow", 71): _SMALL_PAGES,
    ("follow", 124): _SMALL_PAGES,
    ("map", 16): _OLD_NEWS,
    ("resume", 1): _SKIPPED,
    ("resume", 4): _SKIPPED,
}
