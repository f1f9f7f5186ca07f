"""The handlers of the faults."""

from __future__ import annotations

import json
from email.utils import formatdate

from tests.faults.exchange import Exchange, Hangup, Reply, chunk
from tests.faults.schedule import Fault

_HTML = b"<!doctype html><title>Sign in</title><p>Please sign in to go on."


def _pass(exchange: Exchange) -> None:
    response = exchange.send()
    if response.getheader("transfer-encoding") != "chunked":
        exchange.answer(Reply(response.status, response.getheaders(), response.read()))
        return
    exchange.near.sendall(exchange.head(response.status, response.getheaders(), None))
    while piece := response.read1(65536):
        exchange.near.sendall(chunk(piece))
    exchange.near.sendall(b"0\r\n\r\n")


def _lost(exchange: Exchange) -> None:
    raise Hangup(reset=exchange.chance.random() < 0.5)


def _too_many(exchange: Exchange) -> None:
    after = exchange.chance.choice((None, "0", "1", "2.5", "20", "90", formatdate(usegmt=True)))
    headers = {} if after is None else {"retry_after": after}
    exchange.say(429, b'{"error": "too many requests"}', "application/json", **headers)


def _overloaded(exchange: Exchange) -> None:
    after = exchange.chance.choice(("0", "1", "7"))
    exchange.say(503, b"", "text/plain", retry_after=after)


def _broken(exchange: Exchange) -> None:
    exchange.may_have_arrived()
    status = exchange.chance.choice((500, 502, 503, 504))
    headers = {"retry_after": "2"} if status < 503 and exchange.chance.random() < 0.3 else {}
    body, kind = exchange.chance.choice(
        ((b"", "text/plain"), (_HTML, "text/html"), (b'{"error": "broken"}', "application/json"))
    )
    exchange.say(status, body, kind, **headers)


def _html(exchange: Exchange) -> None:
    exchange.may_have_arrived()
    exchange.say(exchange.chance.choice((200, 200, 201)), _HTML, "text/html")


def _no_answer(exchange: Exchange) -> None:
    exchange.may_have_arrived()
    exchange.wait_for_hangup()


def _dropped(exchange: Exchange) -> None:
    if exchange.request.changes:
        exchange.ask()
    raise Hangup(reset=exchange.chance.random() < 0.5)


def _cut(exchange: Exchange) -> None:
    exchange.near.sendall(_part(exchange))
    raise Hangup(reset=exchange.chance.random() < 0.2)


def _stalled(exchange: Exchange) -> None:
    exchange.near.sendall(_part(exchange))
    exchange.wait_for_hangup()


def _part(exchange: Exchange) -> bytes:
    """Return a response cut within its head or body, with a length or in chunks."""
    reply = exchange.ask()
    chance = exchange.chance
    if chance.random() < 0.5:
        head = exchange.head(reply.status, reply.headers, None)
        # In one chunk, or in two of which the first is complete.
        middle = chance.choice((len(reply.body), chance.randrange(1, len(reply.body))))
        body = chunk(reply.body[:middle]) + chunk(reply.body[middle:]) + b"0\r\n\r\n"
    else:
        head, body = exchange.head(reply.status, reply.headers, len(reply.body)), reply.body
    begin = 1 if chance.random() < 0.2 else len(head)
    whole = head + body
    return whole[: chance.randrange(begin, len(whole))]


def _other_page(exchange: Exchange) -> None:
    exchange.answer(exchange.ask(offset=str(_elsewhere(exchange))))


def _shifted(exchange: Exchange) -> None:
    offset = exchange.request.offset
    reply = exchange.ask(offset=str(_elsewhere(exchange)))
    _doctor(exchange, reply, offset, times=1)


def _repeated(exchange: Exchange) -> None:
    _doctor(exchange, exchange.ask(), exchange.request.offset, times=2)


def _elsewhere(exchange: Exchange) -> int:
    offset = exchange.request.offset
    return max(0, offset + exchange.chance.choice((-7, -2, -1, 1, 2, 3)))


def _doctor(exchange: Exchange, reply: Reply, offset: int, times: int) -> None:
    page = json.loads(reply.body)
    if reply.status == 200:
        items = [item for item in page["messages"] for _ in range(times)]
        page |= {"messages": items[: page["limit"]], "offset": offset}
    exchange.answer(Reply(reply.status, reply.headers, json.dumps(page).encode()))


def _hung_up(exchange: Exchange) -> None:
    _pass(exchange)
    raise Hangup(reset=exchange.chance.random() < 0.3)


PLAYED = {
    Fault.PASS: _pass,
    Fault.LOST: _lost,
    Fault.TOO_MANY: _too_many,
    Fault.OVERLOADED: _overloaded,
    Fault.BROKEN: _broken,
    Fault.HTML: _html,
    Fault.NO_ANSWER: _no_answer,
    Fault.DROPPED: _dropped,
    Fault.CUT: _cut,
    Fault.STALLED: _stalled,
    Fault.OTHER_PAGE: _other_page,
    Fault.SHIFTED: _shifted,
    Fault.REPEATED: _repeated,
    Fault.HUNG_UP: _hung_up,
}
