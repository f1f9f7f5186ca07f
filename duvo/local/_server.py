"""The engine behind a socket, in a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import importlib.util
import os
import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType

from ._api import ports
from ._api.endpoint import Endpoint
from ._same_agent import together
from .agents import Agent
from .errors import EngineError, MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._database.database import Store
    from ._database.location import Location
    from ._execution.engine import Engine


_DRAINING = 1.0
"""Seconds between telling load balancers of the end and refusing connections."""


class Server:
    """Serves the API for the given agents on this machine.

        with Server([invoices]) as server:
            client = duvo.Client(api_key=server.api_key, base_url=server.base_url)

    It runs in a thread and an event loop of its own, so that it can be used
    from a script, a notebook cell or an async test alike. There is one in a
    process at a time. Its methods may be called from any thread.

    Args:
        agents: the agents to serve.
        database: a file or a URL; None for one that is thrown away at the end.
        port: 0 for any free one, None for 7411 or the next free one.
        rate_limit: requests a minute, or None for no limit.
        examples: whether to serve the built-in examples too.
        host: the address of this machine to listen on, `0.0.0.0` or `::` for all.
        keys_file: a file for its owner alone, with one key a line, all of which
            are accepted; None for one key that is made and kept beside the database.
        tls_cert, tls_key: the files of a certificate and its key, in the PEM
            format; None for plain HTTP.
        insecure: whether plain HTTP may be reached from other machines.
        monitoring: whether to answer `/health` and `/metrics` too.

    Attributes:
        base_url, team_id, port: how it is reached, once started.
        api_key: what opens it; empty where a file of keys was given.
        database: the file, or the URL without its password.
        key_file: where the key is kept, or the file of keys that was given.
        agents: all that it serves.
        waiting_for: the names of agents that were not given while runs wait
            for them.

    Raises:
        MissingExtra: the packages that the engine runs on are not installed.
        EngineError: two agents have one name, or the rate limit is none.
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
        self.agents = together(agents, examples)
        self.base_url = ""
        self.api_key = ""
        self.team_id = ""
        self.port = 0
        self.database = ""
        self.key_file = Path()
        self.waiting_for: tuple[str, ...] = ()
        self._named_database = database
        self._rate_limit = rate_limit
        self._keys_file = keys_file
        self._monitored = monitoring
        self._open = functools.partial(
            Endpoint,
            host,
            port,
            keys_file=keys_file,
            tls_cert=tls_cert,
            tls_key=tls_key,
            insecure=insecure,
        )
        self._endpoint: Endpoint | None = None
        self._change = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave: asyncio.Event | None = None

    def __repr__(self) -> str:
        where = self.base_url or "not started"
        return f"<duvo.local.Server {where}>"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to serve; returns when requests are answered.

        Raises:
            EngineError: it cannot start; the error's class and text tell why.
        """
        with self._change:
            if self._thread is not None:
                raise EngineError("the engine has been started already; make another Server")
            from ._database.location import locate

            location = locate(self._named_database)
            try:
                self._start(location)
            except BaseException:
                _throw_away(location)
                raise

    def close(self, timeout: float = 5.0) -> None:
        """Stop serving. Runs that have not ended stay as they are and go on when it starts again.

        Args:
            timeout: seconds to wait for it at most.
        """
        with self._change:
            thread, loop, leave = self._thread, self._loop, self._leave
            if thread is None or loop is None or leave is None or not thread.is_alive():
                return
            with contextlib.suppress(RuntimeError):  # it ends at this very moment
                loop.call_soon_threadsafe(leave.set)
            thread.join(timeout)
            atexit.unregister(self.close)

    def read_again(self) -> None:
        """Take what the files of keys and certificate hold now.

        Raises:
            EngineError: one of them cannot be used; both stay as they were.
        """
        if self._endpoint is not None:
            self._endpoint.read_again()

    def _start(self, location: Location) -> None:
        from ._api.own_key import key_in
        from ._database.database import Store
        from ._database.state_folder import make_state_folder
        from ._store import shapes

        endpoint = self._open()
        try:
            if location.file is None and self._keys_file is None:
                make_state_folder()
            store = Store(location)
            try:
                self.key_file = Path(self._keys_file or location.key_file)
                if self._keys_file is None:
                    self.api_key = key_in(location.key_file)
                    endpoint.keys.replace((self.api_key,))
                started: Future[tuple[str, ...]] = Future()
                thread = threading.Thread(
                    target=self._serve,
                    args=(store, endpoint, location, started),
                    name="duvo-engine",
                    daemon=True,
                )
                thread.start()
            except BaseException:
                store.close()
                raise
        except BaseException:
            endpoint.close()
            raise
        failure = started.exception()
        if failure is not None:
            # The database is free again when it has ended.
            thread.join()
            raise failure
        self.waiting_for = started.result()
        self._thread, self._endpoint = thread, endpoint
        self.port, self.base_url = endpoint.port, endpoint.url
        self.team_id = shapes.TEAM_ID
        self.database = location.shown
        atexit.register(self.close)

    def _serve(
        self,
        store: Store,
        endpoint: Endpoint,
        location: Location,
        started: Future[tuple[str, ...]],
    ) -> None:
        try:
            # Loaded here: they take their time, and belong to no loop.
            from ._api import app, serving  # noqa: F401
            from ._execution import event_loop
            from ._execution.engine import Engine

            engine = Engine(store, self.agents)
            try:
                event_loop.run(self._serve_until_left(engine, store, endpoint, started))
            finally:
                engine.close()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            endpoint.close()
            store.close()
            _throw_away(location)

    async def _serve_until_left(
        self,
        engine: Engine,
        store: Store,
        endpoint: Endpoint,
        started: Future[tuple[str, ...]],
    ) -> None:
        from ._api.app import make_app
        from ._api.long_poll import LongPolls
        from ._api.rate_limit import RateLimit
        from ._api.serving import serving

        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        limit = None if self._rate_limit is None else RateLimit(self._rate_limit)
        try:
            long_polls = LongPolls(engine.notifier)
            monitoring = None
            if self._monitored:
                from ._monitoring.routes import monitoring_of

                monitoring = monitoring_of(engine, store, long_polls)
            await engine.launch()
            app = make_app(
                engine,
                long_polls,
                keys=endpoint.keys,
                on_loopback=endpoint.on_loopback,
                rate_limit=limit,
                monitoring=monitoring,
            )
            async with serving(app, endpoint.listening, endpoint.tls):
                started.set_result(engine.waiting_for)
                await self._leave.wait()
                long_polls.close()
                if monitoring is not None:
                    monitoring.leaving = True
                    await asyncio.sleep(_DRAINING)
        finally:
            await engine.leave()


def _check_extra(also: str | None) -> None:
    for package in ("dbos", "starlette", "uvicorn", *((also,) if also else ())):
        try:
            found = importlib.util.find_spec(package) is not None
        except ValueError:
            found = False
        if not found:
            raise MissingExtra(
                f"the engine needs packages that are missing ({package}); "
                f'install them: pip install "duvo[local]"'
            )


def _throw_away(location: Location) -> None:
    if location.throw_away is not None:
        shutil.rmtree(location.throw_away, ignore_errors=True)
