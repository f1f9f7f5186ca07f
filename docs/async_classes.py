"""Writes duvo/_async, the public classes of the async client, from those of the blocking client.

python docs/async_classes.py            write them
python docs/async_classes.py --check    fail where they are stale

Both clients run the same flows; only the classes that users hold differ, by
`async` and `await`. A line that ends with `# sync` belongs to the blocking
client alone.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "duvo" / "_async"

CLASSES = {
    "_client": ["Client"],
    "_resources/agents": ["Agents", "AgentList"],
    "_resources/iterators": ["Watch", "Completed", "distinct_runs", "given_runs"],
    "_resources/messages": ["Messages"],
    "_resources/results": ["Results", "_results"],
    "_resources/run": ["Run", "state_of"],
    "_resources/run_list": ["RunList"],
    "_resources/runs": ["Runs"],
    "_resources/teams": ["Teams"],
}
"""What is made of each file: classes, and functions that name them."""

FACES = {name for names in CLASSES.values() for name in names if name[0].isupper()}

RENAMED = {
    "ClosableIterator": ("_flow.iterators", "AsyncClosableIterator"),
    "Driver": ("_flow.perform_async", "AsyncDriver"),
    "Workers": ("_batch.async_workers", "AsyncWorkers"),
    "Connection": ("_resources.async_connection", "AsyncConnection"),
    "OnRequest": ("_models.types", "AsyncOnRequest"),
    "Iterator": ("collections.abc", "AsyncIterator"),
    "__enter__": ("", "__aenter__"),
    "__exit__": ("", "__aexit__"),
    "__iter__": ("", "__aiter__"),
}

TEXTS = [
    # What must be awaited
    ("driver.run(", "await driver.run("),
    ("self._await driver.run(", "await self._driver.run("),
    ("self._driver.close()", "await self._driver.aclose()"),
    (
        'hasattr(self, "_batch"):\n            self.close()',
        'hasattr(self, "_batch"):\n            self._abandon()',
    ),
    ("self.close()", "await self.aclose()"),
    ("def close(self)", "def aclose(self)"),
    ("return self.run(run_id).refresh()", "return await self.run(run_id).refresh()"),
    ("return run.wait(left,", "return await run.wait(left,"),
    ("for _ in self.as_completed(", "async for _ in self.as_completed("),
    ("for message in followed:", "async for message in followed:"),
    ("for result in self:", "async for result in self:"),
    # Signatures
    (
        "    @property\n    def team_id(self) -> str:\n"
        '        """The team; the first time this may send `GET /v2/teams`.\n',
        "    def find_team_id(self) -> str:\n"
        '        """Return the team\'s id; the first time this may send `GET /v2/teams`.\n',
    ),
    ("requests.Session", "httpx2.AsyncClient"),
    ("import requests", "import httpx2"),
    (
        "inputs: Iterable[T],\n        *,",
        "inputs: Iterable[T] | AsyncIterable[T],\n        *,",
    ),
    ("has_journal=journal is not None)", "has_journal=journal is not None, may_await=True)"),
    ("Workers(driver, batch, concurrency, executor)", "AsyncWorkers(driver, batch)"),
    (
        "from collections.abc import Callable, Iterable",
        "from collections.abc import AsyncIterable, Callable, Iterable",
    ),
    # Texts of docstrings
    (
        "A client of the API. Threads may share it; it can be pickled, with its key.",
        "A client of the API for async programs. The tasks of one event loop may share it.",
    ),
    (
        "DUVO_PROFILE`), then the profile file.\n",
        "DUVO_PROFILE`), then the profile file,\n    which is read at the first request.\n",
    ),
    (
        "            adapters). Used unchanged, one request at a time; never closed by\n"
        "            the client.",
        "            transports). Used unchanged; never closed by the client.",
    ),
    ("also from another thread", "also from another task"),
    (", from any thread.", "."),
    ("early,\n    or ended by Ctrl-C, unfinished", "early,\n    unfinished"),
    ("After Ctrl-C the run is", "After a cancellation the run is"),
    (
        "After Ctrl-C in an\n        interactive session, it can be called again, and continues.",
        "After a\n        cancellation, it can be called again, and continues.",
    ),
    (
        "A callable is\n                called in one of at most 8 threads, or in the executor.\n",
        "A callable may\n                be a coroutine function.\n",
    ),
    (
        "            on_request: how to handle human requests: a callable that gets the\n"
        "                request and returns True, False, a dict of answers, or None to\n"
        "                leave it unanswered; or",
        "            on_request: how to handle human requests: a callable, which may be a\n"
        "                coroutine function, that gets the request and returns True,\n"
        "                False, a dict of answers, or None to leave it unanswered;\n"
        "                or",
    ),
    (
        "            inputs: JSON values; they are taken as runs can be started, in\n"
        "                the thread that iterates over the results.",
        "            inputs: JSON values, of an iterable or an async iterable; they are\n"
        "                taken as runs can be started.",
    ),
]

found: set[str] = set()
"""The texts that were found and replaced in a class."""


def source_of(name: str) -> Path:
    return ROOT / "duvo" / f"{name}.py"


def made_from(name: str) -> str:
    """The text of the async file that is made from that file."""
    text = source_of(name).read_text(encoding="utf-8")
    # Whole statements may be left out by a marked line.
    text = "".join(
        line for line in text.splitlines(keepends=True) if not line.rstrip().endswith("# sync")
    )
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)

    def code(node: ast.stmt) -> str:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        return "".join(lines[first - 1 : node.end_lineno])

    runtime = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    typing = next((n for n in tree.body if isinstance(n, ast.If)), None)
    wanted = [
        node
        for node in tree.body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name in CLASSES[name]
    ]
    parts = [f'"""Made from {name}.py by docs/async_classes.py; change that file instead."""\n\n']
    parts.append("from __future__ import annotations\n\n")
    body = "\n\n".join(with_moved_imports(code(node), name) for node in wanted)
    own = [
        node.name
        for node in tree.body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name not in CLASSES[name]
    ]
    parts += [f"from ..{name.replace('/', '.')} import {each}\n" for each in own]
    parts += [moved(node, name) for node in runtime if code(node).split()[1] != "__future__"]
    parts.append("\nTYPE_CHECKING = False\nif TYPE_CHECKING:\n")
    if typing is not None:
        parts += [
            "    " + moved(node, name).replace("\n", "\n    ").rstrip(" ") for node in typing.body
        ]
    parts += ["\n\n", body]
    return with_await(renamed(replaced("".join(parts)), name))


def moved(node: ast.stmt, name: str) -> str:
    """An import as it stands in `duvo/_async`."""
    if not isinstance(node, ast.ImportFrom) or not node.level:
        return f"{ast.unparse(node)}\n"
    package = [] if "/" not in name else ["_resources"]
    keep = package[: len(package) - node.level + 1]
    base = ".".join([*keep, *([node.module] if node.module else [])])
    out = []
    for alias in node.names:
        module, new = base, alias.name
        if new in RENAMED and RENAMED[new][0].startswith("_"):
            module, _ = RENAMED[new]
            out.append(f"from ..{module} import {new}\n")
        elif any(
            new in names and base.replace(".", "/") == file for file, names in CLASSES.items()
        ):
            out.append(f"from .{base.split('.')[-1].lstrip('_')} import {new}\n")
        else:
            out.append(f"from ..{module} import {new}\n")
    return "".join(out)


def with_moved_imports(text: str, name: str) -> str:
    """Code whose imports inside of functions are as they stand in `duvo/_async`."""

    def move(match: re.Match[str]) -> str:
        (node,) = ast.parse(match[0].strip()).body
        return "".join(f"{match[1]}{line}\n" for line in moved(node, name).splitlines())

    return re.sub(r"^( +)from \.[^\n]* import [^\n(]*\n", move, text, flags=re.M)


def replaced(text: str) -> str:
    for old, new in TEXTS:
        if old in text:
            found.add(old)
        text = text.replace(old, new)
    # An argument of the blocking client alone, in docstrings.
    return re.sub(
        r"            executor: .*?\n(?=\n|            \w+:|        \w)", "", text, flags=re.S
    )


def renamed(text: str, name: str) -> str:
    """The text with the names of the async classes, in code and between backticks."""

    def new(word: str) -> str:
        if word in FACES:
            return f"Async{word}"
        return RENAMED[word][1] if word in RENAMED else word

    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    lines = text.splitlines(keepends=True)
    for token in reversed(tokens):
        (row, begin), (end_row, end) = token.start, token.end
        if token.type == tokenize.NAME and new(token.string) != token.string:
            line = lines[row - 1]
            lines[row - 1] = line[:begin] + new(token.string) + line[end:]
        elif token.type == tokenize.STRING:
            string = re.sub(
                r"`([^`]*)`", lambda m: re.sub(r"\w+", lambda w: new(w[0]), m[0]), token.string
            )
            string = re.sub(r"<(\w+) ", lambda m: f"<{new(m[1])} ", string)
            if string != token.string:
                before, after = lines[row - 1][:begin], lines[end_row - 1][end:]
                lines[row - 1 : end_row] = [before + string + after]
    return "".join(lines)


def with_await(text: str) -> str:
    """The text with `async` before each function that awaits."""
    tree = ast.parse(re.sub(r"^( *)def ", r"\1async def ", text, flags=re.M))
    lines = text.splitlines(keepends=True)
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef) and (
            node.name in ("__aenter__", "__aexit__")
            or any(isinstance(each, (ast.Await, ast.AsyncFor)) for each in ast.walk(node))
        ):
            line = lines[node.lineno - 1]
            lines[node.lineno - 1] = line.replace("def ", "async def ", 1)
    return "".join(lines)


def write_all(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text(
        '"""The public classes of the async client, made by docs/async_classes.py."""\n',
        encoding="utf-8",
    )
    for name in CLASSES:
        file = folder / f"{name.split('/')[-1].lstrip('_')}.py"
        file.write_text(made_from(name), encoding="utf-8")
    if missing := [old for old, _ in TEXTS if old not in found]:
        sys.exit(f"remove or change these texts, which no file has: {missing}")
    config = ["--config", str(ROOT / "pyproject.toml")]
    fix = ["check", "--quiet", "--fix", "--select", "F401,F811,I", *config, str(folder)]
    for arguments in (fix, ["format", "--quiet", *config, str(folder)]):
        subprocess.run(["ruff", *arguments], check=True)


def main() -> int:
    if "--check" not in sys.argv[1:]:
        write_all(TARGET)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "duvo" / "_async"
        write_all(fresh)
        names = {file.name for place in (fresh, TARGET) for file in place.glob("*.py")}
        stale = [
            name
            for name in sorted(names)
            if not (fresh / name).exists()
            or not (TARGET / name).exists()
            or (fresh / name).read_bytes() != (TARGET / name).read_bytes()
        ]
    for name in stale:
        print(f"duvo/_async/{name} is stale: run `python docs/async_classes.py`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
