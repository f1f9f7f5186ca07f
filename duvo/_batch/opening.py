"""Whether a run was started with a message, judged by the opening of its conversation.

A conversation opens with up to two messages of the user: the agent's instructions
and the start message.
"""

from __future__ import annotations

from attrs import frozen

from .._models import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    Fit = Literal["yes", "maybe", "no", "not yet"]

_OF_THE_AGENT = ("assistant", "tool", "thinking")


@frozen
class Opening:
    """The opening of a conversation.

    Attributes:
        texts: the user's texts before the agent's first message.
        is_whole: whether these are all texts of the opening.
        has_ended: whether the run had ended before the conversation was read.
    """

    texts: tuple[str, ...] = ()
    is_whole: bool = False
    has_ended: bool = False


def opening(messages: Sequence[dict[str, Any]], *, is_cut: bool, has_ended: bool) -> Opening:
    """Return the opening of a conversation.

    Args:
        messages: the first messages, with our names.
        is_cut: whether more messages may follow.
        has_ended: whether the run had ended before the messages were read.
    """
    texts = []
    is_whole = is_cut or has_ended
    for message in messages:
        session = str(message.get("type")).startswith("session_")
        if session or message.get("role") in _OF_THE_AGENT:
            is_whole = True
            break
        if message.get("role") == "user":
            texts.append(wire.content(message))
    return Opening(tuple(texts), is_whole, has_ended)


def fit(message: str | None, opening: Opening) -> Fit:
    """Return whether a run with this opening was started with this message.

    The start message is the last of up to two texts, and must be exactly equal.
    A run without a text was started without a message. These are possible, but
    not certain ("maybe"):

    - an equal text followed by another: it may be the agent's instructions, or
      the start message before a message that was posted right after;
    - for a start without a message, a single text: it may be the instructions,
      or the start message on a server that does not show instructions;
    - a run that ended before its first message.

    Args:
        message: the start message, as it was sent, or None.
        opening: the opening of the run's conversation.
    """
    texts = opening.texts
    if message is not None and message in (*texts[-1:], *texts[1:2]):
        return "yes"
    if not opening.is_whole and len(texts) < 2:
        return "not yet"
    if not texts and message is None:
        return "yes"
    if message is None:
        return "maybe" if len(texts) == 1 else "no"
    if message in texts or (not texts and opening.has_ended):
        return "maybe"
    return "no"
