"""Reading the pages of one run's conversation."""

from __future__ import annotations

from .._http import paths
from .._models.checks import understanding
from .cursor import PAGE, Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .polling import Reader


class ConversationPages:
    """The pages of a run's conversation, each read by `GET /v2/runs/{id}/messages`.

    Args:
        run_id: the run.
        reader: what reads, with its patience and deadline.
    """

    def __init__(self, run_id: str, reader: Reader):
        self._path = paths.messages(run_id)
        self._reader = reader

    def read(self, offset: int, limit: int) -> Page:
        """One page, tried again until it can be read."""
        return self._reader.read(lambda: self.attempt(offset, limit))

    def between(self, begin: int, end: int) -> Page:
        """What stands between two places, as one page, however little the server gives at once."""
        page = self.read(begin, end - begin)
        raws = page.raws
        while page.messages and begin + len(raws) < end:
            page = self.read(begin + len(raws), end - begin - len(raws))
            raws = raws + page.raws
        return Page({"messages": raws, "total": page.total}, begin, end - begin)

    def attempt(self, offset: int, limit: int, hold: float = 0.0) -> Page:
        """One page, asked for once.

        Args:
            offset: where it begins.
            limit: messages at most.
            hold: seconds for which the server may wait for a message.
        """
        params = [("limit", str(limit)), ("offset", str(offset))]
        if hold:
            params.append(("wait", f"{self._reader.deadline.left(hold):.1f}"))
        answer = self._reader.send(self._path, params)
        with understanding("GET", self._path):
            return Page(answer.data, offset, limit)

    def end(self) -> int:
        """How many messages there are, also where the server tells no total or a wrong one."""
        first = self.read(0, 1)
        if not first.messages:
            return 0
        if first.total is None:
            stands, missing = 0, PAGE
            while self._stands(missing):
                stands, missing = missing, missing * 2
        else:
            stands, missing = 0, max(1, first.total)
            if missing == 1 or self._stands(missing - 1):
                return missing
        while missing - stands > 1:
            middle = (stands + missing) // 2
            if self._stands(middle):
                stands = middle
            else:
                missing = middle
        return missing

    def _stands(self, index: int) -> bool:
        return bool(self.read(index, 1).messages)
