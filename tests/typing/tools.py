"""Results of tools as type checkers see them: types that JSON keeps, or Any. Never run."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypedDict

from typing_extensions import assert_type

from duvo.local import RunContext


@dataclass
class Invoice:
    number: str


class Row(NamedTuple):
    number: str


class Line(TypedDict):
    number: str


class Colour(enum.IntEnum):
    RED = 1


class Tools(Protocol):
    def nothing(self) -> None: ...
    def integer(self) -> int: ...
    def text_or_none(self) -> str | None: ...
    def texts(self, count: int) -> list[str]: ...
    def nested(self) -> dict[str, list[int | None]]: ...
    def rows(self) -> list[dict[str, float | str]]: ...
    def json(self) -> dict[str, Any]: ...
    def pair(self) -> tuple[int, str]: ...
    def pairs(self) -> list[tuple[int, str]]: ...
    def pair_or_none(self) -> tuple[int, str] | None: ...
    def numbers(self) -> dict[int, str]: ...
    def invoice(self) -> Invoice: ...
    def row(self) -> Row: ...
    def line(self) -> Line: ...
    def colour(self) -> Colour: ...
    def anything(self) -> Any: ...
    async def async_integer(self) -> int: ...
    async def async_texts(self) -> list[str]: ...
    async def async_nothing(self) -> None: ...
    async def async_pair(self) -> tuple[int, str]: ...
    async def async_pairs(self) -> dict[str, tuple[int, str]]: ...
    async def async_invoice(self) -> Invoice: ...
    async def async_anything(self) -> Any: ...


async def kept(run: RunContext, tools: Tools) -> None:
    assert_type(await run.tool("t", {}, tools.integer), int)
    assert_type(await run.tool("t", {}, tools.text_or_none), str | None)
    assert_type(await run.tool("t", {"count": 1}, tools.texts), list[str])
    assert_type(await run.tool("t", {}, tools.nested), dict[str, list[int | None]])
    assert_type(await run.tool("t", {}, tools.rows), list[dict[str, float | str]])
    fields: dict[str, Any] = await run.tool("t", {}, tools.json)
    print(fields)
    assert_type(await run.tool("t", {}, tools.async_integer), int)
    assert_type(await run.tool("t", {}, tools.async_texts), list[str])
    assert_type(await run.tool("t", {}, lambda: 3), int)
    assert_type(await run.tool("t", {}, str), str)
    await run.tool("t", {}, tools.nothing)
    await run.tool("t", {}, tools.async_nothing)
    await run.tool("t", {}, print)


async def changed(run: RunContext, tools: Tools) -> None:
    assert_type(await run.tool("t", {}, tools.pair), Any)
    assert_type(await run.tool("t", {}, tools.pairs), Any)
    assert_type(await run.tool("t", {}, tools.pair_or_none), Any)
    assert_type(await run.tool("t", {}, tools.numbers), Any)
    assert_type(await run.tool("t", {}, tools.invoice), Any)
    assert_type(await run.tool("t", {}, tools.row), Any)
    assert_type(await run.tool("t", {}, tools.line), Any)
    assert_type(await run.tool("t", {}, tools.colour), Any)
    assert_type(await run.tool("t", {}, tools.anything), Any)
    assert_type(await run.tool("t", {}, tools.async_pair), Any)
    assert_type(await run.tool("t", {}, tools.async_pairs), Any)
    assert_type(await run.tool("t", {}, tools.async_invoice), Any)
    assert_type(await run.tool("t", {}, tools.async_anything), Any)
