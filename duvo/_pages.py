"""Lists that come in pages."""

from __future__ import annotations

from collections import deque

from ._errors import ConfigError, UnexpectedAnswer
from ._models import wire
from ._models.checks import understanding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from ._http.clock import Deadline
    from ._http.transport import Transport

_REMEMBERED = 200
_MOST_REPEATED = 3


class Pages:
    """The items of a list call, read a page at a time as they are wanted.

    An item that comes twice, because the list moved on between two pages, is
    handed out once.

    Args:
        transport: what sends.
        path: of the call.
        name: under which the answer has the items.
        params: query without limit and offset.
        size: items that a page may have at most.
        offset: where to begin.
        limit: items at most.
        deadline: no request goes beyond it.

    Attributes:
        total: items of the whole list as last told, or None.
    """

    def __init__(
        self,
        transport: Transport,
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
        self.more = False
        self._deadline = deadline
        self._read = self._items(transport, path, name, tuple(params), size, offset, limit)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._read

    def __next__(self) -> dict[str, Any]:
        return next(self._read)

    def _items(
        self,
        transport: Transport,
        path: str,
        name: str,
        params: tuple[tuple[str, str], ...],
        size: int,
        offset: int,
        limit: int | None,
    ) -> Iterator[dict[str, Any]]:
        recent: deque[str] = deque(maxlen=_REMEMBERED)
        given = repeated = 0
        while limit is None or given < limit:
            # One more than wanted tells whether there is more, where no total does.
            ask = size if limit is None else min(size, limit - given + 1)
            query = [*params, ("limit", str(ask)), ("offset", str(offset))]
            data = transport.send("GET", path, params=query, deadline=self._deadline).data
            with understanding("GET", path):
                page = wire.expect_items(data, name)
            self.total = wire.count(data.get("total"))
            offset += len(page)
            before = given
            for item in page:
                if item["id"] in recent:
                    continue
                if given == limit:
                    self.more = True
                    return
                recent.append(item["id"])
                given += 1
                yield item
            repeated = repeated + 1 if page and given == before else 0
            if repeated == _MOST_REPEATED:
                raise UnexpectedAnswer(f"{path} gives the same items again and again")
            if not page or (self.total is not None and offset >= self.total):
                return
            if self.total is None and len(page) < ask:
                return
        self.more = self.total is None or offset < self.total


def joined(
    send: Callable[[list[tuple[str, str]]], Any],
    params: Sequence[tuple[str, str]],
    size: int,
) -> Any:
    """All pages of any list call as one document of the same shape.

    An answer that has no list of items in it comes as it is.

    Args:
        send: sends the call with these query pairs, and returns the JSON.
        params: query; a limit in it is the size of the pages, an offset the beginning.
        size: items to ask for, where params has no limit.

    Raises:
        ConfigError: the offset is no number.
    """
    given = dict(params)
    offset = _offset(given.get("offset", "0"))
    rest = [pair for pair in params if pair[0] not in ("limit", "offset")]
    limit = given.get("limit", str(size))
    whole: dict[str, Any] | None = None
    seen: set[str] = set()
    while True:
        data = send([*rest, ("limit", limit), ("offset", str(offset))])
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
    if not isinstance(data, dict) or wire.count(data.get("total")) is None:
        return None
    names = [name for name, value in data.items() if isinstance(value, list)]
    return names[0] if len(names) == 1 else None


def _has_id(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str)


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(f"the offset {text!r} is no whole number")
    return int(text)
