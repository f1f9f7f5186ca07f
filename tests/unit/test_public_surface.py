"""Modules that are loaded, what an import leaves unchanged, and public names."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import duvo
from tests.servers.fake_api import KEY, TEAM, FakeAPI

ROOT = Path(__file__).parents[2]
HEAVY = {"requests", "urllib3", "attrs", "attr", "cattrs", "tenacity", "platformdirs", "dbos"}
OTHERS = ("requests", "urllib3", "attrs", "attr", "cattrs", "tenacity", "dbos", "starlette")


def modules_after(code: str) -> set[str]:
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json; print(json.dumps(list(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_importing_duvo_loads_nothing_else() -> None:
    assert modules_after("import duvo") - modules_after("pass") == {"duvo"}


def test_making_a_client_loads_no_module_that_only_requests_need() -> None:
    loaded = modules_after(
        "import duvo; duvo.Client(api_key='x', base_url='http://127.0.0.1:9').runs.run('r')"
    )
    assert not loaded & HEAVY


def test_waiting_loads_no_module_that_only_messages_need(fake_api: FakeAPI) -> None:
    run_id = fake_api.start("completed")
    fake_api.say(run_id, "done")
    client = f"duvo.Client({KEY!r}, {fake_api.base_url!r}, {TEAM!r})"
    loaded = modules_after(f"import duvo; assert {client}.runs.run({run_id!r}).wait().answer")
    assert not loaded & {"attrs", "attr", "cattrs", "sqlite3"}


def test_watching_loads_no_module_of_the_journal(fake_api: FakeAPI) -> None:
    run_id = fake_api.start("completed")
    client = f"duvo.Client({KEY!r}, {fake_api.base_url!r}, {TEAM!r})"
    loaded = modules_after(f"import duvo; assert list({client}.runs.watch([{run_id!r}]))")
    assert not loaded & {"cattrs", "sqlite3"}


def test_all_lists_exactly_the_public_names() -> None:
    # pytest adds names that begin with an @ to the package of its plugin.
    seen = {name for name in dir(duvo) if name[0] not in "_@"} - {"TYPE_CHECKING"}
    modules = {"local", "profiles", "testing"}
    assert seen - modules == set(duvo.__all__) - {"__version__"}
    for name in duvo.__all__:
        assert getattr(duvo, name) is not None


def test_the_names_for_type_checkers_are_the_names_at_run_time() -> None:
    tree = ast.parse((ROOT / "duvo/__init__.py").read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert imported | {"__version__"} == set(duvo.__all__)


def test_an_unknown_name_is_not_an_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        _ = duvo.Clinet  # type: ignore[attr-defined]


def test_everything_public_has_a_docstring() -> None:
    for name in duvo.__all__:
        thing = getattr(duvo, name)
        if not isinstance(thing, type):
            continue
        assert thing.__doc__, name
        for attribute, value in vars(thing).items():
            if not attribute.startswith("_") and (callable(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{attribute}"


def test_importing_duvo_and_making_a_client_leave_the_process_unchanged() -> None:
    code = """
import logging, os, signal, warnings
def state():
    return (
        list(logging.getLogger().handlers), logging.getLogger().level,
        logging.getLogger("duvo").handlers, list(warnings.filters), dict(os.environ),
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    )
import requests  # whose own import adds a warning filter
before = state()
import duvo
client = duvo.Client(api_key="x", base_url="http://127.0.0.1:9", max_retries=0)
try:
    client.teams.list()
except duvo.ConnectionError:
    pass
assert state() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def foreign_private_attributes(file: Path) -> list[str]:
    """Attributes beginning with `_` that are not looked up on self, cls, or a name of ours."""
    tree = ast.parse(file.read_text())
    foreign = {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
        if (node.module if isinstance(node, ast.ImportFrom) else alias.name or "")
        and not getattr(node, "level", 0)
        and str(getattr(node, "module", None) or alias.name).split(".")[0] in OTHERS
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        root = node.value
        while isinstance(root, (ast.Attribute, ast.Call, ast.Subscript)):
            root = root.func if isinstance(root, ast.Call) else root.value
        name = root.id if isinstance(root, ast.Name) else ""
        if name in foreign or name in {"response", "session"}:
            found.append(f"{file.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
    return found


def test_no_private_attribute_of_another_library_is_used() -> None:
    files = [*ROOT.glob("duvo/**/*.py"), *ROOT.glob("duvo_cli/**/*.py")]
    assert files
    found = [one for file in files for one in foreign_private_attributes(file)]
    allowed = [one for one in found if one.endswith("DBOS._recover_pending_workflows")]
    assert found == allowed


def test_one_private_method_of_urllib3_is_replaced() -> None:
    from urllib3.connection import HTTPConnection

    from duvo._time.connection import TimedConnection

    names = {name for name in vars(TimedConnection) if name[0] == "_" and name[1] != "_"}
    assert names == {"_new_conn"}
    assert names <= vars(HTTPConnection).keys()


def test_each_library_is_imported_only_in_its_own_files() -> None:
    knows = {
        "requests": {
            "callers_session.py",
            "environment.py",
            "requests_transport.py",
            "sessions.py",
        },
        "urllib3": {"requests_transport.py", "connection.py", "socks_proxy.py", "blocking.py"},
        "socks": {"socks_proxy.py"},
        "httpx2": {"httpx_sessions.py", "httpx_transport.py"},
        "tenacity": {"retries.py"},
        "cattrs": {"build.py"},
        "dbos": {"workflows.py"},
    }
    for file in ROOT.glob("duvo/**/*.py"):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module.split(".")[0]]
            else:
                continue
            if _for_types_only(tree, node):
                continue
            for name in names:
                assert file.name in knows.get(name, {file.name}), f"{file} imports {name}"


def _for_types_only(tree: ast.Module, wanted: ast.stmt) -> bool:
    return any(
        isinstance(block, ast.If)
        and isinstance(block.test, ast.Name)
        and block.test.id == "TYPE_CHECKING"
        and wanted in block.body
        for block in ast.walk(tree)
    )
