"""Agent files that are loaded again when they change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path

from duvo import local

from . import log

_CHECK_INTERVAL = 1.0
"""Seconds between two looks at the files, where no change was reported."""


def start(files: local.AgentFiles, server: local.Server) -> None:
    """Watch the files in a thread, and serve the agents of their newest versions."""
    threading.Thread(target=_watch, args=(files, server), name="duvo-reload", daemon=True).start()


def _watch(files: local.AgentFiles, server: local.Server) -> None:
    try:
        from watchfiles import watch
    except ImportError:
        log.server.warning(
            "files that change are not loaded again, because watchfiles is missing; "
            'install it: pip install "duvo[local]"'
        )
        return
    while True:
        folders = files.folders
        try:
            for _ in watch(
                *(folder for folder in folders if folder.is_dir()),
                watch_filter=lambda change, path: path.endswith(".py"),
                recursive=False,
                # Changes that are made while a watch begins are not reported.
                rust_timeout=int(_CHECK_INTERVAL * 1000),
                yield_on_timeout=True,
            ):
                if changed := files.changed():
                    _reload(files, server, changed)
                if files.folders != folders:
                    break
        except (OSError, RuntimeError):
            # A folder was removed, or the system watches no more files.
            time.sleep(_CHECK_INTERVAL)
            if changed := files.changed():
                _reload(files, server, changed)


def _reload(files: local.AgentFiles, server: local.Server, changed: Iterable[Path]) -> None:
    names = ", ".join(sorted({file.name for file in changed}))
    try:
        remaining = server.replace_agents(files.load())
    except local.EngineError as error:
        log.report(error)
        log.server.warning("%s; the agents stay as they were", log.text_of(error))
        return
    turns = "1 turn ends" if remaining == 1 else f"{remaining} turns end"
    on_old_code = f"; {turns} on the old code" if remaining else ""
    log.server.info("%s changed: reloaded%s", names, on_old_code)
