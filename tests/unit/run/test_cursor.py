"""The cursor alone: any schedule of growing, shifting and stale pages, by seed."""

from __future__ import annotations

import contextlib
import random

import pytest

import duvo
from duvo._run.cursor import PAGE, Cursor, Page


def page_of(conversation: list[str], offset: int, limit: int) -> Page:
    messages = [{"id": one, "type": "text"} for one in conversation[offset : offset + limit]]
    return Page(
        {"messages": messages, "total": len(conversation), "limit": limit, "offset": offset},
        offset,
        limit,
    )


def read_on(cursor: Cursor, conversation: list[str], limit: int) -> list[str]:
    page = page_of(conversation, cursor.next_offset, limit)
    return [page.messages[index]["id"] for index in cursor.accept(page)]


@pytest.mark.seeds(quick=50, full=200)
def test_no_message_is_lost_repeated_or_reordered_while_pages_shift(seed: int) -> None:
    chance = random.Random(seed)
    # An insertion and a removal together leave every offset unchanged, which no cursor
    # could notice. A schedule therefore has one or the other.
    shift = ("in", "out")[seed % 2]
    conversation: list[str] = []
    lagging: list[str] = []
    given: list[str] = []
    gone: set[str] = set()
    late: set[str] = set()
    cursor = Cursor()
    appended = 0
    for step in range(120):
        action = chance.random()
        if action < 0.5:
            for _ in range(chance.choice((1, 2, 7, 60))):
                conversation.append(f"{appended}")
                appended += 1
        elif action < 0.6 and conversation and shift == "in":
            at = max(0, len(conversation) - chance.randrange(1, 20))
            conversation.insert(at, f"late-{step}")
            late.add(f"late-{step}")
        elif action < 0.7 and len(given) > 10 and shift == "out":
            # Only yielded messages are removed; the loss of others could not be noticed.
            victim = chance.choice(given[-40:])
            if victim in conversation:
                conversation.remove(victim)
                gone.add(victim)
        # Sometimes a replica that lags behind responds.
        source = lagging if chance.random() < 0.1 and len(lagging) > len(conversation) / 2 else None
        try:
            given += read_on(cursor, source or conversation, chance.choice((3, PAGE)))
        except duvo.UnexpectedAnswer as error:
            assert error.may_pass
        if chance.random() < 0.3:
            lagging = list(conversation)
    for _ in range(len(conversation) + 20):
        try:
            given += read_on(cursor, conversation, PAGE)
        except duvo.UnexpectedAnswer as error:
            assert error.may_pass
    assert len(given) == len(set(given))
    assert set(conversation) <= set(given)
    in_order = [one for one in given if one not in late]
    assert in_order == sorted(in_order, key=int)


def test_a_page_of_another_conversation_is_an_error() -> None:
    cursor = Cursor()
    read_on(cursor, [f"a{number}" for number in range(60)], PAGE)
    other = [f"b{number}" for number in range(60)]
    with pytest.raises(duvo.UnexpectedAnswer, match="the conversation no longer has the messages"):
        for _ in range(20):
            read_on(cursor, other, PAGE)


def test_pages_overlap_by_one_message_unless_they_never_shift() -> None:
    conversation = [str(number) for number in range(120)]
    cursor = Cursor()
    read_on(cursor, conversation, PAGE)
    assert cursor.next_offset == PAGE - 1
    cursor.grows_only = True
    assert cursor.next_offset == PAGE


def test_a_cursor_that_went_back_too_far_finds_its_place_from_the_end() -> None:
    conversation = [str(number) for number in range(130)]
    cursor = Cursor()
    given = [one for _ in range(140) for one in read_on(cursor, conversation, 2)]
    assert given == conversation
    read_on(cursor, conversation[:-1], 2)
    # Two pages with a wrong offset lead far away from the end.
    for places in (60, 2):
        offset = cursor.next_offset
        shifted = [f"?{number}" for number in range(places)] + conversation
        cursor.accept(page_of(shifted, offset, 7 if places == 2 else 2))
    for _ in range(200):
        with contextlib.suppress(duvo.UnexpectedAnswer):
            given += read_on(cursor, conversation, 2)
    assert given == conversation


def test_a_cursor_placed_in_the_middle_yields_no_earlier_message_when_pages_shift() -> None:
    conversation = [str(number) for number in range(30)]
    cursor = Cursor()
    cursor.place_after("9", 9)
    del conversation[3]
    given = [one for _ in range(5) for one in read_on(cursor, conversation, PAGE)]
    assert given == [str(number) for number in range(10, 30)]
