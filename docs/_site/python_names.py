"""What the Python reference shows of a name: its constructor, its signature, its docstring."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from . import docstrings

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_SHOWN = {
    "builtins.": "",
    "*unnamed: NoReturn": "*",
    "duvo.local.testing.replay._Run": "duvo.Run",
    "AgentFunction": "Callable[[RunContext], Coroutine[Any, Any, object]]",
}
_HIDDEN = ("Result.of", "RunContext.end", "FakeRun.end")
_WHOLE = ("duvo.AsyncClient", "duvo.AsyncClosableIterator")
_SAME = {"aclose": "close", "find_team_id": "team_id"}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("autodoc-process-signature", _sign)
    app.connect("autodoc-process-docstring", _mend, priority=400)  # before napoleon's 500
    app.connect("autodoc-process-docstring", _show_types, priority=600)
    app.connect("autodoc-skip-member", _skip)
    _forget_overloads("duvo.local.context")
    return {"parallel_read_safe": True}


def _forget_overloads(module: str) -> None:
    """Show functions by their own signature: overloads are for type checkers."""
    from sphinx.pycode import ModuleAnalyzer

    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.analyze()
    analyzer.overloads.clear()


def _sign(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returns: str
) -> tuple[str, str | None] | None:
    if signature is None or what not in ("class", "exception", "function", "method"):
        return None
    # Users create objects only of classes whose docstrings name arguments.
    if what in ("class", "exception") and "Args:\n" not in (obj.__doc__ or ""):
        return "", None
    if inspect.iscoroutinefunction(inspect.unwrap(obj)) and not inspect.iscoroutinefunction(obj):
        returns = f"Awaitable[{returns}]"
    signature, returns = _shown(signature), _shown(returns or "")
    _refuse_private(name, signature + returns)
    return signature, returns or None


def _shown(signature: str) -> str:
    """Return a signature with names that a caller knows."""
    for ours, shown in _SHOWN.items():
        signature = signature.replace(ours, shown)
    return docstrings.without_private_modules(signature)


def _show_types(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Name the types of attributes as users import them."""
    for number, line in enumerate(lines):
        if line.lstrip().startswith(":type:"):
            lines[number] = docstrings.without_modules(line)
            _refuse_private(name, lines[number])


def _refuse_private(name: str, text: str) -> None:
    """Warn of names and values that no user can write; a warning fails the build in CI."""
    if docstrings.has_private_names(text):
        from sphinx.util.logging import getLogger

        getLogger(__name__).warning("%s shows what is private: %s", name, text)


def _skip(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    if getattr(obj, "__qualname__", "") in _HIDDEN:
        return True
    # The attributes of the async classes are those of the others.
    owner = getattr(getattr(obj, "fget", None), "__qualname__", "").partition(".")[0]
    return True if owner.startswith("Async") and owner != "AsyncClient" else None


def _mend(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if name.startswith("duvo.Async") and name not in _WHOLE:
        lines[:] = docstrings.first_paragraph(lines)
        if what == "method":
            owner, method = name.removeprefix("duvo.Async").split(".")
            lines += ["", f"See `duvo.{owner}.{_SAME.get(method, method)}`.", ""]
    lines[:] = docstrings.with_code_blocks(lines)
