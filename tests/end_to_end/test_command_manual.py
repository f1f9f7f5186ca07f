"""The manual pages and the description of an installed wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prefix of an installation of the wheel built from these sources."""
    source = tmp_path_factory.mktemp("source")
    for name in ("duvo", "duvo_cli"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    (source / "docs").mkdir()
    for name in ("docs/packaging.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    wheels = tmp_path_factory.mktemp("wheels")
    prefix = tmp_path_factory.mktemp("prefix")
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(source))
    run(sys.executable, "-m", "venv", "--without-pip", str(prefix))
    (wheel,) = wheels.glob("*.whl")
    python = str(prefix / "bin" / "python")
    run(*pip, "--python", python, "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    return prefix


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def man(prefix: Path, *arguments: str) -> str:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    found = [*prefix.rglob("share/man")]
    assert len(found) == 1
    done = subprocess.run(
        ["man", *arguments],
        env={**os.environ, "MANPATH": str(found[0]), "MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_man_duvo_lists_commands_exit_codes_and_environment(prefix: Path) -> None:
    assert man(prefix, "-w", "duvo").strip().endswith("share/man/man1/duvo.1")
    page = man(prefix, "duvo")
    assert "duvo - runs of Duvo agents" in page
    assert "runs start" in page
    assert "124  the time was up" in page
    assert "DUVO_API_KEY" in page


def test_a_command_has_its_own_page(prefix: Path) -> None:
    page = man(prefix, "duvo-runs-start")
    assert "duvo-runs-start - start a run" in page
    assert "--on-request" in page
    assert "duvo runs start" in page


def test_the_installed_command_is_built_from_these_sources(prefix: Path) -> None:
    (package,) = prefix.rglob("duvo_cli/__main__.py")
    assert package.read_bytes() == (ROOT / "duvo_cli" / "__main__.py").read_bytes()


def test_the_description_of_the_package_has_no_link_to_a_file_beside_it(prefix: Path) -> None:
    (metadata,) = prefix.rglob("duvo-*.dist-info/METADATA")
    headers, _, description = metadata.read_text(encoding="utf-8").partition("\n\n")
    assert "Description-Content-Type: text/markdown" in headers.splitlines()
    assert description.startswith("# duvo\n")
    assert "`docs/quick-start.md`" in description
    assert "docs/terminal.svg" not in description
    targets = re.findall(r"\]\(([^)]*)\)", description)
    assert targets
    assert all(target.startswith("https://") for target in targets)
