"""An application on a socket, by uvicorn, leaving the process's signals and logging alone."""

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
    app: ASGIApp, listening: socket.socket, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Serve on the running loop until the block is left; connections get a second to end.

    Args:
        tls: how to secure connections; None for plain HTTP.
    """
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
        # Longer than any client keeps one idle, so that none finds its connection gone.
        timeout_keep_alive=75,
    )
    config.load()
    # One of ours, so that a renewed certificate can be read while connections are open.
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
