"""Modules of agent files in `sys.modules`, where dataclasses, typing and pickle look them up."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

roots: WeakKeyDictionary[ModuleType, Path] = WeakKeyDictionary()
"""The folder that each module of an agent file was loaded from."""


def may_publish(name: str) -> bool:
    """Whether nothing but an agent file's module has the name; other code's modules stay."""
    present = sys.modules.get(name)
    return present is None or present in roots


@contextlib.contextmanager
def published(name: str, module: ModuleType) -> Iterator[None]:
    """Let a module be found by its name inside the block, and afterwards unless another has it."""
    if not may_publish(name):
        yield
        return
    present = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    except BaseException:
        if present is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = present
        raise
    if present is not None and roots[present] != roots[module]:
        # The first of two files of one name stays.
        sys.modules[name] = present
    elif _is_library(name, module):
        del sys.modules[name]


@contextlib.contextmanager
def restored_on_failure() -> Iterator[None]:
    """Put back the modules of agent files that are replaced inside the block, if it fails."""
    before = dict(sys.modules)
    try:
        yield
    except BaseException:
        for name in sys.modules.keys() - before.keys():
            if isinstance(sys.modules[name], ModuleType) and sys.modules[name] in roots:
                del sys.modules[name]
        for name, module in before.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
        raise


def is_same(module: ModuleType, spec: ModuleSpec) -> bool:
    """Whether the module was made from the file of the spec."""
    file: str | None = getattr(module, "__file__", None)
    if file is None or spec.origin is None:
        return False
    return os.path.realpath(file) == os.path.realpath(spec.origin)


def _is_library(name: str, module: ModuleType) -> bool:
    if "." in name:
        return name.partition(".")[0] not in sys.modules
    # The folder is the last on `sys.path`.
    spec = PathFinder.find_spec(name)
    is_elsewhere = spec is not None and spec.origin is not None and not is_same(module, spec)
    return name in sys.stdlib_module_names or is_elsewhere
