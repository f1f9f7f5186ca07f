"""An application served by uvicorn, which leaves the process's signals and logging alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import uvicorn
from starlette.types import ASGIApp


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, listening: socket.socket, tls: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Serve on the running loop inside the block; then open connections have a second to end."""
    config = uvicorn.Config(
        app,
        loop="none",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        # Longer than clients keep idle connections: none is closed just as it is used.
        timeout_keep_alive=75,
    )
    config.load()
    # The endpoint's own context, so that a renewed certificate can be loaded while serving.
    config.ssl = tls
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        if task.done():
            task.result()
        yield
    finally:
        server.should_exit = True
        await task
