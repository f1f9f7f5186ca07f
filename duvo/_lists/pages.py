"""Paginated lists."""

from __future__ import annotations

from .._errors import ConfigError, UnexpectedAnswer
from .._http.sender import get
from .._models.checks import count, expect_items, request_context
from .._models.times import timestamp
from .cursor import ListCursor, created_between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._time.clock import Deadline

_MOST_REPEATED = 3
_PLACE = ("limit", "offset")


class Pages:
    """The items of a list call, read a page at a time.

    However the list shifts between two pages, an item that stays in it is
    returned once.

    Args:
        name: the field with the items.
        params: the query without limit and offset.
        newest_first: how the list is ordered by creation; None if it is not.
        since: only items that were created at or after this time. A list that is
            read newest first ends there. The API has no parameter for it: its
            `since` is the time of completion.
        until: only items that were created at or before this time. What is newer
            in a list that is read newest first is skipped by bisecting offsets.
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
        newest_first: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
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
        self._since = since
        self._until = until
        self._newest_first = newest_first
        self._size = size
        self._limit = limit
        self._deadline = deadline
        self._cursor = ListCursor(offset, newest_first, until if newest_first else None)
        self._is_at_begin = until is None or not newest_first
        self._returned = 0
        self._is_done = self.more = limit == 0

    def next_page(self) -> Flow[list[dict[str, Any]] | None]:
        """Read a page; return its new items, or None at the end of the list."""
        if not self._is_at_begin:
            yield from self._skip_newer()
        while not self._is_done:
            items = yield from self._read_page()
            if items:
                return items
        return None

    def _read_page(self) -> Flow[list[dict[str, Any]]]:
        cursor = self._cursor
        left = None if self._limit is None else self._limit - self._returned
        ask = self._size
        if left is not None and not cursor.is_searching:
            # One item more than wanted shows whether there are more, where no total does.
            ask = min(ask, left + 1 + cursor.overlap)
        page = yield from self._get(ask, cursor.offset)
        new = cursor.record(page, asked=ask, total=self.total)
        if cursor.repeated == _MOST_REPEATED:
            raise UnexpectedAnswer(f"{self._path} keeps returning the same items")
        is_past = False
        if self._since is not None or self._until is not None:
            in_order = self._newest_first is True
            new, is_past = created_between(new, self._since, self._until, newest_first=in_order)
        self._is_done = cursor.is_done or is_past
        if left is not None and len(new) >= left:
            is_whole = self._is_done or (self.total is not None and self.total <= cursor.end)
            self.more = len(new) > left or not is_whole
            self._is_done = True
            new = new[:left]
        self._returned += len(new)
        return new

    def _get(self, ask: int, offset: int) -> Flow[list[dict[str, Any]]]:
        query = [*self._params, ("limit", str(ask)), ("offset", str(offset))]
        response = yield from get(self._api, self._path, params=query, deadline=self._deadline)
        with request_context("GET", self._path):
            page = expect_items(response.data, self._name)
        self.total = count(response.data.get("total"))
        return page

    def _skip_newer(self) -> Flow[None]:
        """Begin near the last item that is newer than `until`; the cursor checks that it is."""
        newer = 0
        if (yield from self._is_newer(0)):
            older = self.total or 0
            while older - newer > self._size:
                middle = (newer + older) // 2
                if (yield from self._is_newer(middle)):
                    newer = middle
                else:
                    older = middle
        self._cursor.offset = newer
        self._is_at_begin = True

    def _is_newer(self, offset: int) -> Flow[bool]:
        page = yield from self._get(1, offset)
        created_at = timestamp(page[0].get("created_at")) if page else None
        return created_at is not None and self._until is not None and created_at > self._until


def joined(api: Api, path: str, params: Sequence[tuple[str, str]], size: int) -> Flow[Any]:
    """Return all pages of any list call as one document of the same shape.

    A response without a list of items is returned unchanged.

    Args:
        params: the query, beside that of the path; its limit is the page size, its offset
            the beginning.
        size: the page size without a limit.

    Raises:
        ConfigError: limit or offset is given twice, or is not a whole number.
    """
    path, in_path = _without_place(path)
    params = [*in_path, *params]
    values = dict(params)
    if twice := [name for name in _PLACE if [key for key, _ in params].count(name) > 1]:
        raise ConfigError(f"the {twice[0]} is given twice")
    size = _whole_number("limit", values.get("limit", str(size)))
    cursor = ListCursor(_whole_number("offset", values.get("offset", "0")))
    rest = [pair for pair in params if pair[0] not in _PLACE]
    whole: dict[str, Any] | None = None
    while True:
        query = [*rest, ("limit", str(size)), ("offset", str(cursor.offset))]
        response = yield from get(api, path, params=query)
        data = response.data
        name = _name_of_items(data)
        if name is None:
            return data if whole is None else whole
        if whole is None:
            whole = {**data, name: []}
        whole[name] += cursor.record(data[name], asked=size, total=data["total"])
        if cursor.is_done or cursor.repeated == _MOST_REPEATED:
            return whole


def _without_place(path: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a path without limit and offset in its query, and these."""
    path, _, query = path.partition("?")
    place, rest = [], []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name in _PLACE:
            place.append((name, value))
        else:
            rest.append(part)
    return f"{path}?{'&'.join(rest)}" if rest else path, place


def _name_of_items(data: Any) -> str | None:
    if not isinstance(data, dict) or count(data.get("total")) is None:
        return None
    names = [name for name, value in data.items() if isinstance(value, list)]
    return names[0] if len(names) == 1 else None


def _whole_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(f"the {name} {text!r} is not a whole number")
    return int(text)
