"""Lists that come in pages."""

from __future__ import annotations

from collections import deque

from . import _wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from ._transport import Transport

_REMEMBERED = 200


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
    ):
        self.total: int | None = None
        self.more = False
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
        given = 0
        while limit is None or given < limit:
            # One more than wanted tells whether there is more, where no total does.
            ask = size if limit is None else min(size, limit - given + 1)
            query = [*params, ("limit", str(ask)), ("offset", str(offset))]
            answer = _wire.expect_dict(transport.send("GET", path, params=query).data, "the top")
            page = _wire.expect_list(answer.get(name), name)
            total = answer.get("total")
            self.total = int(total) if isinstance(total, (int, float)) else None
            offset += len(page)
            for number, raw in enumerate(page):
                item = _wire.expect_dict(raw, f"{name}[{number}]")
                key = _wire.expect_text(item.get("id"), f"{name}[{number}].id")
                if key in recent:
                    continue
                if given == limit:
                    self.more = True
                    return
                recent.append(key)
                given += 1
                yield item
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
        params: query; a limit or an offset in it is kept for the first page.
        size: items to ask for, where params has no limit.
    """
    given = dict(params)
    offset = int(given.get("offset", "0"))
    rest = [pair for pair in params if pair[0] not in ("limit", "offset")]
    limit = given.get("limit", str(size))
    whole: dict[str, Any] | None = None
    while True:
        data = send([*rest, ("limit", limit), ("offset", str(offset))])
        names = (
            [name for name, value in data.items() if isinstance(value, list)]
            if isinstance(data, dict) and "total" in data
            else []
        )
        if len(names) != 1:
            return data if whole is None else whole
        page = data[names[0]]
        if whole is None:
            whole = {**data, names[0]: []}
        whole[names[0]].extend(page)
        offset += len(page)
        if not page or offset >= data["total"]:
            return whole
