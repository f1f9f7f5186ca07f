"""The folder of what the engine keeps. Needs none of the packages that the engine runs on."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import EngineError


def state_folder() -> Path:
    """The folder of what the engine keeps; `DUVO_STATE_DIR` names another."""
    named = os.environ.get("DUVO_STATE_DIR")
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_state_path("duvo", appauthor=False)


def make_state_folder() -> Path:
    """The state folder, made for its owner alone where it is missing.

    Raises:
        EngineError: it cannot be made.
    """
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise EngineError(
            f"{folder}: the folder cannot be made ({error.strerror}); "
            f"name another by DUVO_STATE_DIR"
        ) from None
    return folder


def default_database(command: str = "dev") -> Path:
    """The file in which a command keeps its runs: `duvo dev`, or `duvo serve`."""
    return state_folder() / f"{command}.sqlite"
