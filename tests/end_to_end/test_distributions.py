"""The source distribution and the wheel, built from a copy of these sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
FOLDERS = (".ci", "docs", "duvo", "duvo_cli", "tests")
LEFT_OUT = (".gitignore",)
MADE = ("PKG-INFO", "duvo.egg-info/")
"""What setuptools adds to a source distribution."""


def run(*command: str, folder: Path) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source distribution, and with the wheel that was built from it."""
    source = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__", "secrets")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for file in ROOT.iterdir():
        if file.is_file() and file.name not in LEFT_OUT:
            shutil.copy(file, source)
    # What several-machines.md creates, and what Python leaves behind.
    (source / "docs" / "secrets").mkdir()
    (source / "docs" / "secrets" / "keys").write_text("secret")
    (source / "tests" / "__pycache__").mkdir()
    (source / "tests" / "__pycache__" / "old.pyc").write_text("")
    made = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "-o", str(made), ".", folder=source)
    return made


@pytest.fixture(scope="module")
def unpacked(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("unpacked")
    (archive,) = distributions.glob("duvo-*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


def names_in(folder: Path) -> set[str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix() for file in files}


def test_the_source_distribution_has_every_file_of_the_project(unpacked: Path) -> None:
    found = {name for name in names_in(unpacked) if not name.startswith(MADE)}
    assert {"CHANGELOG.md", "docs/engine.md", "tests/conftest.py", ".ci/run"} <= found
    assert not [name for name in found if "secrets" in name or name.endswith(".pyc")]
    if not (ROOT / ".git").exists():
        pytest.skip("these sources are not a checkout, whose files are known")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", folder=ROOT)
    wanted = {name for name in listed.splitlines() if (ROOT / name).is_file()}
    assert found == wanted - set(LEFT_OUT)


def test_the_wheel_has_the_packages_and_nothing_else(distributions: Path) -> None:
    (wheel,) = distributions.glob("duvo-*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = {name for name in files.namelist() if not re.match(r"duvo-[^/]*/", name)}
    wanted = {
        file.relative_to(ROOT).as_posix()
        for package in ("duvo", "duvo_cli")
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert names == wanted


def test_twine_accepts_both_distributions(distributions: Path) -> None:
    files = [str(file) for file in distributions.iterdir()]
    assert len(files) == 2
    report = run(sys.executable, "-m", "twine", "check", "--strict", *files, folder=distributions)
    assert report.count("PASSED") == 2


def test_tests_of_the_unpacked_source_distribution_pass(unpacked: Path) -> None:
    tests = ["tests/unit/test_public_surface.py", "tests/unit/tables"]
    report = run(
        *(sys.executable, "-m", "pytest", "-q", "--numprocesses=2", "-p", "no:cacheprovider"),
        *tests,
        folder=unpacked,
    )
    assert re.search(r"\d{2,} passed", report)
    where = run(sys.executable, "-c", "import duvo; print(duvo.__file__)", folder=unpacked)
    assert where.startswith(str(unpacked))
