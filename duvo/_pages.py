"""Paginated lists."""

from __future__ import annotations

from collections import deque

from ._errors import ConfigError, UnexpectedAnswer
from ._http.sender import get
from ._models.checks import count, expect_items, request_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._flow.steps import Flow
    from ._http.api import Api
    from ._time.clock import Deadline

_REMEMBERED = 200
_MOST_REPEATED = 3


class Pages:
    """The items of a list call, read a page at a time.

    An item that appears twice, because the list shifted between two pages, is
    returned once.

    Args:
        name: the field with the items.
        params: the query without limit and offset.
        size: maximum number of items in a page.
        limit: maximum number of items, or None.

    Attributes:
        total: number of items in the whole list as last reported, or None.
        more: whether the limit cut the list.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        name: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        size: int = 100,
        offset: int = 0,
        limit: int | None = None,
        deadline: Deadline | None = None,
    ):
        self.total: int | None = None
        self._api = api
        self._path = path
        self._name = name
        self._params = tuple(params)
        self._size = size
        self._offset = offset
        self._limit = limit
        self._deadline = deadline
        self._recent: deque[str] = deque(maxlen=_REMEMBERED)
        self._returned = 0
        self._repeated = 0
        self._is_done = self.more = limit == 0

    def next_page(self) -> Flow[list[dict[str, Any]] | None]:
        """Read a page; return its new items, or None at the end of the list."""
        while not self._is_done:
            items = yield from self._read_page()
            if items:
                return items
        return None

    def _read_page(self) -> Flow[list[dict[str, Any]]]:
        left = None if self._limit is None else self._limit - self._returned
        # One item more than wanted shows whether there are more, where no total does.
        ask = self._size if left is None else min(self._size, left + 1)
        query = [*self._params, ("limit", str(ask)), ("offset", str(self._offset))]
        response = yield from get(self._api, self._path, params=query, deadline=self._deadline)
        with request_context("GET", self._path):
            page = expect_items(response.data, self._name)
        self.total = count(response.data.get("total"))
        self._offset += len(page)
        new = self._without_repeated(page)
        if left is not None and len(new) > left:
            self.more = self._is_done = True
            new = new[:left]
        self._returned += len(new)
        self._check_progress(page, new)
        if not self._is_done:
            self._is_done = self._reaches_end(page, ask)
            if not self._is_done and self._returned == self._limit:
                self._is_done = True
                self.more = self.total is None or self._offset < self.total
        return new

    def _without_repeated(self, page: list[dict[str, Any]]) -> list[dict[str, Any]]:
        new = []
        for item in page:
            if item["id"] not in self._recent:
                self._recent.append(item["id"])
                new.append(item)
        return new

    def _check_progress(self, page: list[Any], new: list[Any]) -> None:
        self._repeated = self._repeated + 1 if page and not new else 0
        if self._repeated == _MOST_REPEATED:
            raise UnexpectedAnswer(f"{self._path} keeps returning the same items")

    def _reaches_end(self, page: list[Any], ask: int) -> bool:
        if not page:
            return True
        if self.total is not None:
            return self._offset >= self.total
        return len(page) < ask


def joined(api: Api, path: str, params: Sequence[tuple[str, str]], size: int) -> Flow[Any]:
    """Return all pages of any list call as one document of the same shape.

    A response without a list of items is returned unchanged.

    Args:
        params: the query; its limit is the page size, its offset the beginning.
        size: the page size if `params` has no limit.
    """
    values = dict(params)
    offset = _offset(values.get("offset", "0"))
    rest = [pair for pair in params if pair[0] not in ("limit", "offset")]
    limit = values.get("limit", str(size))
    whole: dict[str, Any] | None = None
    seen: set[str] = set()
    while True:
        query = [*rest, ("limit", limit), ("offset", str(offset))]
        response = yield from get(api, path, params=query)
        data = response.data
        name = _name_of_items(data)
        if name is None:
            return data if whole is None else whole
        page = data[name]
        if whole is None:
            whole = {**data, name: []}
        new = [item for item in page if not (_has_id(item) and item["id"] in seen)]
        seen.update(item["id"] for item in new if _has_id(item))
        whole[name].extend(new)
        offset += len(page)
        if not new or offset >= data["total"]:
            return whole


def _name_of_items(data: Any) -> str | None:
    if not isinstance(data, dict) or count(data.get("total")) is None:
        return None
    names = [name for name, value in data.items() if isinstance(value, list)]
    return names[0] if len(names) == 1 else None


def _has_id(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str)


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(f"the offset {text!r} is not a whole number")
    return int(text)
