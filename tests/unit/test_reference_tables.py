"""The tables of the reference match the code: exit codes, variables, metrics, commands."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from duvo.local._monitoring.metrics import Metrics
from duvo_cli import __main__, errors
from duvo_cli.help.overview import TOPICS
from duvo_cli.registry import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def first_cells(page: str, heading: str = "") -> list[str]:
    """The first cells of the rows of a page's tables, or of those below a heading."""
    text = (DOCS / page).read_text("utf-8")
    if heading:
        text = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    return [row for row in rows if not row.startswith("-")]


def in_backticks(cells: list[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_the_table_of_exit_codes_has_those_of_the_command() -> None:
    text = (DOCS / "exit-codes.md").read_text("utf-8").partition("\n## ")[0]
    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    constants = {
        value for name, value in vars(errors).items() if name.isupper() and type(value) is int
    }
    ends = {__main__._INTERRUPTED, __main__._READER_GONE}
    assert set(listed) == {0} | constants | ends
    assert listed == [int(code) for code in re.findall(r"^  (\d+) ", TOPICS["exit-codes"], re.M)]


def test_the_table_of_python_errors_has_their_exit_codes() -> None:
    text = (DOCS / "exit-codes.md").read_text("utf-8").split("## In Python")[1]
    listed = {
        name: int(code)
        for code, names in re.findall(r"^\| (\d+) \| (.+) \|$", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert listed == {**dict(errors.EXIT_CODES), "OutcomeUnknown": errors.ERROR}


def variables_of_the_code() -> set[str]:
    """The environment variables in strings of the code, without prefixes such as `DUVO_`."""
    found = set()
    for file in [*ROOT.glob("duvo/**/*.py"), *ROOT.glob("duvo_cli/**/*.py")]:
        text = file.read_text("utf-8")
        texts = [
            node.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        found |= {name for value in texts for name in re.findall(r"\bDUVO_[A-Z_]+", value)}
        if "environ" in text:
            found |= {value for value in texts if re.fullmatch(r"[A-Z]+(_[A-Z]+)+|TERM", value)}
    return {name for name in found if not name.endswith("_")}


def test_the_tables_of_variables_have_those_that_the_code_reads() -> None:
    assert in_backticks(first_cells("environment.md")) == variables_of_the_code()


def test_the_help_on_the_environment_has_each_setting_of_the_page() -> None:
    ours = {name for name in in_backticks(first_cells("environment.md")) if name[:5] == "DUVO_"}
    assert ours == set(re.findall(r"DUVO_\w+", TOPICS["environment"]))


def test_the_tables_of_metrics_have_those_that_are_served() -> None:
    metrics = Metrics(turns=lambda: 0, held_polls=lambda: 0)
    metrics.count_request("GET", "/v2/runs/{run_id}", 200, 0.1)
    metrics.count_committed(Counter())
    text = metrics.text(database_up=True, runs={}).decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    served = {}
    for name, kind in kinds.items():
        if name.startswith("process_") or name.endswith("_created"):
            continue
        sample = re.search(rf"^{name}(?:_count)?(?:\{{(.*)\}})? ", text, re.MULTILINE)
        assert sample is not None, name
        served[name] = (kind, sorted(re.findall(r"(\w+)=", sample[1] or "")))
    page = (DOCS / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(duvo_\w+)` \| (\w+) \| (.*?) ?\| ", page, re.MULTILINE)
    listed = {name: (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels in rows}
    assert {name: (kind, sorted(labels)) for name, (kind, labels) in listed.items()} == served
    processes = {name for name in kinds if name.startswith("process_")}
    # Only Linux has them.
    assert not processes or processes == set(re.findall(r"`(process_\w+)`", page))


def test_the_table_of_json_has_each_command_that_prints_it() -> None:
    words = in_backticks(first_cells("json.md"))
    missing = {
        command
        for command in COMMANDS
        if not any(re.match(rf"{command}( --.*)?$", word) for word in words)
    }
    assert missing == {"completion", "help"}
