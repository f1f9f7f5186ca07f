"""Seeds that once failed, each with what it found."""

from __future__ import annotations

_NEVER_SENT = (
    "after a refused connection any later failure of the same call was taken for one that never "
    "arrived, so that the change was sent again, or said not to have happened"
)
_REPLIED_AGAIN = "a reply of unknown outcome was sent again while the run could not be read"
_CUT_HEAD = "a head that was cut in the middle was taken for an answer without a body"
_SMALL_PAGES = (
    "where pages were smaller than asked for, the end was seen on the way back to a lost place"
)
_OLD_NEWS = (
    "a run that was handed out as ended stood as at work again, after what a thread that replied "
    "had read before"
)
_SKIPPED = "where pages were smaller than asked for, the place to go on from was not found"

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
