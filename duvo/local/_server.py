"""The engine behind a socket, in its own thread."""

from __future__ import annotations

import asyncio
import atexit
import functools
import importlib.util
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

from ._api import ports
from ._api.endpoint import Endpoint
from ._api.keys import read_or_create_key
from ._api.rate_limit import RateLimit
from ._database.files import make_state_folder
from ._forks import kept_from_forks
from ._loading.files import combine
from ._text import logger
from .agents import Agent
from .errors import EngineError, MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ._api.long_poll import LongPolls
    from ._database.database import Database
    from ._execution.engine import Engine

T = TypeVar("T")

_WATCH_INTERVAL = 1.0
"""Seconds between two checks that the database is still in its place."""

_DRAIN_TIME = 1.0
"""Seconds for which /health already says 503 and connections are still accepted."""

_SIGNALS_SEEN_WITHIN = 0.5
"""Seconds between wake-ups of a waiting thread, to handle signals that another one received."""


class Server:
    """Serves the API on this machine.

        with Server([invoices]) as server:
            client = duvo.Client(api_key=server.api_key, base_url=server.base_url)

    The server runs in its own thread and event loop, so it works the same from
    a script, a notebook cell or an async test. One runs in a process at a
    time. Its methods may be called from any thread, and `close` from a signal
    handler too.

    Args:
        agents: the agents to serve.
        database: a file, a URL or a connection string of PostgreSQL; None for a
            temporary file.
        port: 0 for any free port, None for 7411 or the next free one.
        rate_limit: requests a minute; None for no limit.
        examples: whether to serve the built-in examples too.
        host: the address of this machine to listen on, `0.0.0.0` or `::` for all.
        keys_file: a file or a pipe with one accepted key a line, readable only by
            its owner (and by its group, if root owns it); None for a key that is
            created and kept beside the database.
        tls_cert, tls_key: PEM files of a certificate and its key; None for
            plain HTTP.
        insecure: whether other machines may connect over plain HTTP.
        monitoring: whether to serve `/health` and `/metrics` too.

    Attributes:
        base_url: the server's origin, once started.
        team_id: its team, once started.
        port: its port, once started.
        api_key: the key that it accepts; empty if `keys_file` was given.
        database: the file, or the URL without its password.
        key_file: the file of the key, or `keys_file`.
        agents: all agents that it serves.
        waiting_for: the names of agents that were not given although runs
            wait for them.
        failure: why the server ended by itself, or None.

    Raises:
        MissingExtra: the packages that the engine needs are not installed.
        EngineError: two agents have the same name, or the rate limit is below 1.
    """

    def __init__(
        self,
        agents: Iterable[Agent] = (),
        *,
        database: str | os.PathLike[str] | None = None,
        port: int | None = None,
        rate_limit: int | None = None,
        examples: bool = True,
        host: str = ports.LOOPBACK,
        keys_file: str | os.PathLike[str] | None = None,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        insecure: bool = False,
        monitoring: bool = False,
    ):
        _check_extra("prometheus_client" if monitoring else None)
        if rate_limit is not None and rate_limit < 1:
            raise EngineError("the rate limit must be 1 request a minute or more")
        self.agents = combine(agents, examples)
        self.base_url = ""
        self.api_key = ""
        self.team_id = ""
        self.port = 0
        self.database = ""
        self.key_file = Path()
        self.waiting_for: tuple[str, ...] = ()
        self.failure: EngineError | None = None
        self._named_database = database
        self._rate_limit = None if rate_limit is None else RateLimit(rate_limit)
        self._keys_file = keys_file
        self._has_monitoring = monitoring
        self._has_examples = examples
        self._make_endpoint = functools.partial(
            Endpoint, host, port, keys_file, tls_cert, tls_key, insecure
        )
        self._endpoint: Endpoint | None = None
        # Reentrant: a signal handler may close the server at any moment.
        self._lock = threading.RLock()
        self._is_starting = self._is_closed_early = False
        self._thread: threading.Thread | None = None
        self._stop_serving: Callable[[], object]
        self._loop: asyncio.AbstractEventLoop
        self._engine: Engine

    def __repr__(self) -> str:
        return f"<duvo.local.Server {self.base_url or 'not started'}>"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start serving; return once requests are answered.

        Raises:
            EngineError: the server cannot start, or was closed while it started.
        """
        with self._lock:
            if self._thread is not None:
                raise EngineError("the engine has been started already; make another Server")
            self._is_starting = True
            try:
                self._start()
            finally:
                self._is_starting = False
            if self._is_closed_early:
                self.close()
                raise EngineError("the engine was closed while it started")

    def close(self, timeout: float = 5.0) -> None:
        """Stop serving. Unfinished runs stay as they are and continue at the next start.

        Args:
            timeout: seconds to wait for the end at most.
        """
        with self._lock:
            self._is_closed_early = self._is_starting
            if self._thread is None or not self._thread.is_alive():
                return
            with suppress(RuntimeError):  # the loop has just been closed
                self._stop_serving()
            self._thread.join(timeout)
            atexit.unregister(self.close)

    def wait(self) -> None:
        """Wait until the server has ended.

        Raises:
            EngineError: it ended by itself, because its database was removed or replaced.
        """
        while self._thread is not None and self._thread.is_alive():
            # Woken regularly: only then is a signal handled that another thread received.
            self._thread.join(_SIGNALS_SEEN_WITHIN)
        if self.failure is not None:
            raise self.failure

    def read_again(self) -> None:
        """Use the keys and the certificate that their files hold now.

        Raises:
            EngineError: a file cannot be used; keys and certificate stay as they were.
        """
        if self._endpoint is not None:
            self._endpoint.reload()

    def replace_agents(self, agents: Iterable[Agent]) -> int:
        """Begin turns with these agents from now on.

        Turns that have begun keep their code to the end, even while they wait for
        a human. Runs that were waiting for one of these agents start.

        Args:
            agents: the agents to serve, besides the examples.

        Returns:
            How many turns keep earlier code.

        Raises:
            EngineError: two agents have the same name, or the server is not running.
        """
        combined = combine(agents, self._has_examples)
        count = self._with_engine(lambda engine: engine.replace_agents(combined))
        self.agents, self.waiting_for = combined, self._engine.waiting_for
        return count

    def _with_engine(
        self, work: Callable[[Engine], Coroutine[Any, Any, T]], timeout: float | None = None
    ) -> T:
        """Await the work on the engine's loop."""
        if self._thread is None or not self._thread.is_alive():
            raise EngineError("the engine is not running")
        return asyncio.run_coroutine_threadsafe(work(self._engine), self._loop).result(timeout)

    def _start(self) -> None:
        from ._database.database import Database
        from ._database.location import locate
        from ._database.lock import noted_owner
        from ._store.shapes import TEAM_ID

        resources = ExitStack()
        try:
            file = self._named_database
            if file is None:
                folder = tempfile.mkdtemp(prefix="duvo-")
                resources.callback(shutil.rmtree, folder, ignore_errors=True)
                file = Path(folder, "engine.sqlite")
            location = locate(file)
            endpoint = self._make_endpoint()
            resources.callback(endpoint.close)
            resources.enter_context(kept_from_forks(ports.served_by(endpoint.listening)))
            if location.file is None and self._keys_file is None:
                make_state_folder()
            database = Database(location)
            resources.callback(database.close)
            if location.file is not None:
                resources.enter_context(noted_owner(location.file, endpoint.port))
            self.key_file = endpoint.keys_file or location.key_file
            if self._keys_file is None:
                self.api_key = read_or_create_key(location.key_file)
                endpoint.keys.replace((self.api_key,))
            started: Future[None] = Future()
            serve = functools.partial(self._serve, database, endpoint, started, resources)
            thread = threading.Thread(target=serve, name="duvo-engine", daemon=True)
            thread.start()
        except BaseException:
            resources.close()
            raise
        while not started.done():
            with suppress(FutureTimeout):
                started.exception(_SIGNALS_SEEN_WITHIN)
        failure = started.exception()
        if failure is not None:
            # The thread closes endpoint and database.
            thread.join()
            raise failure
        self._thread, self._endpoint = thread, endpoint
        self.port, self.base_url = endpoint.port, endpoint.url
        self.team_id = TEAM_ID
        self.database = location.shown
        atexit.register(self.close)

    def _serve(
        self, database: Database, endpoint: Endpoint, started: Future[None], resources: ExitStack
    ) -> None:
        try:
            # Imported before the loop runs: it takes a while.
            from ._api import app  # noqa: F401
            from ._execution import event_loop
            from ._execution.engine import Engine

            engine = Engine(database, self.agents)
            try:
                event_loop.run(self._serve_until_closed(engine, database, endpoint, started))
            finally:
                engine.close()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            resources.close()

    async def _serve_until_closed(
        self, engine: Engine, database: Database, endpoint: Endpoint, started: Future[None]
    ) -> None:
        from ._api.app import make_app, serving
        from ._api.long_poll import LongPolls
        from ._execution import blocking

        loop, closing = asyncio.get_running_loop(), asyncio.Event()

        def stop_serving() -> None:
            engine.is_leaving = True
            loop.call_soon_threadsafe(closing.set)

        self._stop_serving, self._loop, self._engine = stop_serving, loop, engine
        try:
            long_polls = LongPolls(engine.notifier)
            monitoring = None
            if self._has_monitoring:
                from ._monitoring.routes import Monitoring

                monitoring = Monitoring(
                    database,
                    turns=lambda: len(engine.turns),
                    held_polls=lambda: long_polls.held,
                )
            await engine.launch()
            app = make_app(engine, long_polls, endpoint, self._rate_limit, monitoring)
            app = self._wrapped(app, long_polls)
            async with serving(app, endpoint.listening, endpoint.tls):
                self.waiting_for = engine.waiting_for
                started.set_result(None)
                blocking.watch(loop)
                watching = asyncio.create_task(self._watch(database, closing))
                await closing.wait()
                watching.cancel()
                long_polls.close()
                if monitoring is not None:
                    monitoring.is_leaving = True
                    await asyncio.sleep(_DRAIN_TIME)
        finally:
            await engine.leave()

    def _wrapped(self, app: ASGIApp, long_polls: LongPolls) -> ASGIApp:
        """Return the application to serve."""
        return app

    async def _watch(self, database: Database, closing: asyncio.Event) -> None:
        from ._threads import in_thread

        while not database.is_shared:
            await asyncio.sleep(_WATCH_INTERVAL)
            try:
                await in_thread(database.refuse_if_replaced)
            except EngineError as error:
                self.failure = error
                logger.error("%s; the engine ends", error)
                closing.set()
                return


def _check_extra(monitoring_package: str | None) -> None:
    for package in filter(None, ("dbos", "starlette", "uvicorn", monitoring_package)):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(
                f"the engine needs packages that are missing ({package}); "
                f'install them: pip install "duvo[local]"'
            )
