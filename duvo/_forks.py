"""Forks of the process: the child renews what another thread of its parent may have held."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_methods: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def renew_in_child(method: Any) -> None:
    """Call a method, which does not keep its object alive, in each forked process."""
    _methods[method.__self__] = method.__func__


def call_in_child(function: Callable[[], None]) -> Callable[[], None]:
    """Call a function in each forked process; a decorator."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)
    return function


def _renew_all() -> None:
    for owner, method in list(_methods.items()):
        method(owner)


def load_before_fork(*names: str, if_begun: tuple[str, ...] = ()) -> None:
    """Load these modules before each fork. Otherwise they are loaded when they are needed.

    A module that another thread is loading could never be loaded in the child. Those of
    `if_begun` are loaded only in this case: they begin to watch forks themselves, which
    fails in the middle of one.
    """

    def load() -> None:
        for name in (*names, *(name for name in if_begun if name in sys.modules)):
            with contextlib.suppress(ImportError):
                import_module(name)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=load)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
