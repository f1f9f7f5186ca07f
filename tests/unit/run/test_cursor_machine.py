"""The cursor, in any order of what a conversation and its server can do."""

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
"""Messages from the end among which something goes away: what the cursor remembers."""


class Conversations(RuleBasedStateMachine):
    """One cursor over one conversation, on a server that may show it in odd ways.

    Messages are numbered as they come. Nothing comes in before what there is,
    since no order could be kept then; what goes away has been handed out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conversation: list[str] = []
        self.came = 0
        self.given: list[str] = []
        self.cursor = Cursor()

    def page(
        self, messages: list[str], offset: int, limit: int, total: Any, told: int | None = None
    ) -> Page:
        raws = [{"id": one, "type": "text"} for one in messages]
        data = {"messages": raws, "total": total, "offset": offset if told is None else told}
        return Page(data, offset, limit)

    def take(self, page: Page) -> None:
        try:
            new = self.cursor.accept(page)
        except duvo.UnexpectedAnswer as error:
            assert error.may_pass
        else:
            self.given += [page.messages[index]["id"] for index in new]

    # What happens to the conversation

    @rule(count=st.sampled_from((1, 2, 9, 60, 130)))
    def messages_come(self, count: int) -> None:
        self.conversation += [str(self.came + number) for number in range(count)]
        self.came += count

    @precondition(lambda self: len(self.given) > 10)
    @rule(data=st.data())
    def one_that_was_given_goes_away(self, data: st.DataObject) -> None:
        there = [one for one in self.given[-NEAR:] if one in self.conversation]
        if len(there) > 10:
            self.conversation.remove(data.draw(st.sampled_from(there)))

    # What the server answers

    @rule(size=SIZES, tells_total=st.booleans())
    def it_is_read(self, size: int, tells_total: bool) -> None:
        offset = self.cursor.next_offset
        messages = self.conversation[offset : offset + size]
        total = len(self.conversation) if tells_total else None
        self.take(self.page(messages, offset, PAGE, total))

    @precondition(lambda self: self.given)
    @rule(size=SIZES, missing=st.sampled_from((1, 2, 9, 60)))
    def a_replica_that_is_behind_is_read(self, size: int, missing: int) -> None:
        seen = self.conversation[: max(0, len(self.conversation) - missing)]
        offset = self.cursor.next_offset
        self.take(self.page(seen[offset : offset + size], offset, PAGE, len(seen)))

    @precondition(lambda self: self.given and self.cursor.next_offset > 0)
    @rule(size=SIZES, by=st.sampled_from((-60, -2, -1, 1, 3)))
    def it_is_read_as_if_it_had_shifted(self, size: int, by: int) -> None:
        offset = self.cursor.next_offset
        begin = max(0, offset + by)
        messages = self.conversation[begin : begin + size]
        self.take(self.page(messages, offset, PAGE, len(self.conversation)))

    @rule(size=SIZES)
    def it_is_read_with_messages_that_come_twice(self, size: int) -> None:
        offset = self.cursor.next_offset
        messages = [one for one in self.conversation[offset : offset + size] for _ in (1, 2)]
        self.take(self.page(messages[:size], offset, PAGE, len(self.conversation)))

    @rule(total=st.sampled_from((0, 1, 10_000)))
    def it_is_read_with_a_wrong_total(self, total: int) -> None:
        offset = self.cursor.next_offset
        self.take(self.page(self.conversation[offset : offset + PAGE], offset, PAGE, total))

    @rule()
    def another_page_is_read(self) -> None:
        offset = self.cursor.next_offset
        try:
            self.page(self.conversation[:PAGE], offset, PAGE, len(self.conversation), offset + 1)
        except duvo.UnexpectedAnswer as error:
            assert error.may_pass
        else:
            raise AssertionError("a page of another offset was taken")

    # What must be true

    @invariant()
    def what_was_given_is_once_and_in_order(self) -> None:
        numbers = [int(one) for one in self.given]
        assert all(one < other for one, other in itertools.pairwise(numbers))

    @invariant()
    def what_was_passed_over_was_never_there_to_be_given(self) -> None:
        if self.given:
            last = int(self.given[-1])
            passed = [one for one in self.conversation if int(one) <= last]
            assert set(passed) <= set(self.given)

    @rule(size=SIZES)
    def the_end_is_reached(self, size: int) -> None:
        """However it stands, an honest server leads to the end, and it is seen."""
        doubts = 0
        for _ in range(2 * len(self.conversation) + 60):
            self.it_is_read(size, True)
            doubts = doubts + 1 if self.cursor.caught_up else 0
            # Where something has gone away the cursor doubts, and is read a few times more.
            if self.cursor.is_proven or doubts > 3:
                break
        else:
            raise AssertionError("the end was never reached")
        assert set(self.conversation) <= set(self.given)


TestConversations = Conversations.TestCase
