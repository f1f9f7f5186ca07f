"""Options that may also be given by environment variables."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Iterable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


class Variables:
    """The variables that set options: PREFIX + KEYS_FILE sets `--keys-file`.

    Args:
        prefix: what their names begin with.
        actions: the options, as actions of a parser.

    Attributes:
        names: the variables by option.
    """

    def __init__(self, prefix: str, actions: Iterable[argparse.Action]):
        self._actions = {action.option_strings[-1]: action for action in actions}
        self.names = {
            option: f"{prefix}{option.removeprefix('--').replace('-', '_').upper()}"
            for option in self._actions
        }

    def use(self, given: Collection[str]) -> list[str]:
        """Make the values of variables the defaults of the options that are not `given`.

        An empty variable counts as not set.

        Returns:
            The names of the variables that were used.

        Raises:
            ValueError: a value is bad; the text names the variable.
        """
        used = []
        for option, name in self.names.items():
            text = os.environ.get(name, "").strip()
            if text and option not in given:
                action = self._actions[option]
                try:
                    action.default = _value(action, text)
                except (argparse.ArgumentTypeError, ValueError) as error:
                    raise ValueError(f"{name}: {error}") from None
                action.required = False
                used.append(name)
        return used

    def help(self) -> str:
        """A table of the variables and their options."""
        width = max(map(len, self.names.values()))
        return "\n".join(f"  {name:{width}}  {option}" for option, name in self.names.items())


def _value(action: argparse.Action, text: str) -> Any:
    if action.nargs == 0:
        if text.lower() not in _YES + _NO:
            raise ValueError(f"{text!r} is neither 1 nor 0")
        return text.lower() in _YES
    if "FILE" not in str(action.metavar) and not text.isprintable():
        raise ValueError("the value has characters that cannot be printed")
    value = action.type(text) if callable(action.type) else text
    if action.choices is not None and value not in action.choices:
        raise ValueError(f"{text!r} is not one of {', '.join(map(str, action.choices))}")
    return value
