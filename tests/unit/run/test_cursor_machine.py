"""The cursor, in any order of changes to a conversation and of odd responses."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import duvo
from duvo._run.cursor import PAGE, Cursor, Page

pytestmark = pytest.mark.seeds

SIZES = st.sampled_from((2, 7, PAGE))
NEAR = 40
"""The number of last messages that may be removed: those that the cursor remembers."""


class Conversations(RuleBasedStateMachine):
    """One cursor over one conversation, on a server that may show it in odd ways.

    Messages are numbered as they are added, always at the end. Only yielded
    messages are removed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conversation: list[str] = []
        self.came = 0
        self.given: list[str] = []
        self.cursor = Cursor()

    def page(
        self, messages: list[str], offset: int, limit: int, total: Any, reported: int | None = None
    ) -> Page:
        raws = [{"id": one, "type": "text"} for one in messages]
        data = {
            "messages": raws,
            "total": total,
            "offset": offset if reported is None else reported,
        }
        return Page(data, offset, limit)

    def take(self, page: Page) -> None:
        try:
            new = self.cursor.accept(page)
        except duvo.UnexpectedAnswer as error:
            assert error.may_pass
        else:
            self.given += [page.messages[index]["id"] for index in new]

    # Changes of the conversation

    @rule(count=st.sampled_from((1, 2, 9, 60, 130)))
    def messages_are_added(self, count: int) -> None:
        self.conversation += [str(self.came + number) for number in range(count)]
        self.came += count

    @precondition(lambda self: len(self.given) > 10)
    @rule(data=st.data())
    def a_yielded_message_is_removed(self, data: st.DataObject) -> None:
        there = [one for one in self.given[-NEAR:] if one in self.conversation]
        if len(there) > 10:
            self.conversation.remove(data.draw(st.sampled_from(there)))

    # Responses of the server

    @rule(size=SIZES, has_total=st.booleans())
    def a_page_is_read(self, size: int, has_total: bool) -> None:
        offset = self.cursor.next_offset
        messages = self.conversation[offset : offset + size]
        total = len(self.conversation) if has_total else None
        self.take(self.page(messages, offset, PAGE, total))

    @precondition(lambda self: self.given)
    @rule(size=SIZES, missing=st.sampled_from((1, 2, 9, 60)))
    def a_lagging_replica_is_read(self, size: int, missing: int) -> None:
        seen = self.conversation[: max(0, len(self.conversation) - missing)]
        offset = self.cursor.next_offset
        self.take(self.page(seen[offset : offset + size], offset, PAGE, len(seen)))

    @precondition(lambda self: self.given and self.cursor.next_offset > 0)
    @rule(size=SIZES, by=st.sampled_from((-60, -2, -1, 1, 3)))
    def a_shifted_page_is_read(self, size: int, by: int) -> None:
        offset = self.cursor.next_offset
        begin = max(0, offset + by)
        messages = self.conversation[begin : begin + size]
        self.take(self.page(messages, offset, PAGE, len(self.conversation)))

    @rule(size=SIZES)
    def a_page_with_repeated_messages_is_read(self, size: int) -> None:
        offset = self.cursor.next_offset
        messages = [one for one in self.conversation[offset : offset + size] for _ in (1, 2)]
        self.take(self.page(messages[:size], offset, PAGE, len(self.conversation)))

    @rule(total=st.sampled_from((0, 1, 10_000)))
    def a_page_with_a_wrong_total_is_read(self, total: int) -> None:
        offset = self.cursor.next_offset
        self.take(self.page(self.conversation[offset : offset + PAGE], offset, PAGE, total))

    @rule()
    def a_page_of_another_offset_is_read(self) -> None:
        offset = self.cursor.next_offset
        try:
            self.page(self.conversation[:PAGE], offset, PAGE, len(self.conversation), offset + 1)
        except duvo.UnexpectedAnswer as error:
            assert error.may_pass
        else:
            raise AssertionError("a page of another offset was accepted")

    # Invariants

    @invariant()
    def messages_are_yielded_once_and_in_order(self) -> None:
        numbers = [int(one) for one in self.given]
        assert all(one < other for one, other in itertools.pairwise(numbers))

    @invariant()
    def no_message_before_the_last_yielded_one_is_missing(self) -> None:
        if self.given:
            last = int(self.given[-1])
            passed = [one for one in self.conversation if int(one) <= last]
            assert set(passed) <= set(self.given)

    @rule(size=SIZES)
    def the_end_is_reached(self, size: int) -> None:
        """Correct pages lead to the end from every state, and the cursor notices it."""
        doubts = 0
        for _ in range(2 * len(self.conversation) + 60):
            self.a_page_is_read(size, True)
            doubts = doubts + 1 if self.cursor.caught_up else 0
            # After a removal the cursor cannot prove the end; a few more reads must do.
            if self.cursor.is_proven or doubts > 3:
                break
        else:
            raise AssertionError("the end was never reached")
        assert set(self.conversation) <= set(self.given)


TestConversations = Conversations.TestCase
