"""The folder for the engine's files. Needs none of the extra's packages."""

from __future__ import annotations

import os
from pathlib import Path

from .._text import os_reason
from ..errors import EngineError


def state_folder() -> Path:
    """Return the folder for the engine's files: `DUVO_STATE_DIR`, or the system's place for it."""
    named = os.environ.get("DUVO_STATE_DIR")
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_state_path("duvo", appauthor=False)


def make_state_folder() -> Path:
    """Return the state folder, created for its owner only if it is missing."""
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise EngineError(
            f"{folder}: the folder cannot be created ({os_reason(error)}); "
            f"name another with DUVO_STATE_DIR"
        ) from None
    return folder


def default_database(command: str = "dev") -> Path:
    """Return the file in which `duvo dev` or `duvo serve` keeps its runs by default."""
    return state_folder() / f"{command}.sqlite"
