"""One line at the bottom of the terminal that tells that something still goes on."""

from __future__ import annotations

import sys
import time

from .live import Live
from .table import cut
from .terminal import in_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable


class StatusLine(Live):
    """A line on stderr while the block lasts; nothing where stderr is no terminal.

    Args:
        describe: what to show; called each second from another thread.
    """

    def __init__(self, describe: Callable[[], str]):
        began = time.monotonic()

        def line(size: os.terminal_size) -> list[str]:
            minutes, seconds = divmod(int(time.monotonic() - began), 60)
            parts = [describe(), f"{minutes}:{seconds:02}", self.detail]
            text = in_one_line(" · ".join(part for part in parts if part))
            return [cut(text, size.columns - 1)]

        super().__init__(sys.stderr, line)
