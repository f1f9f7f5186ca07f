"""The clients of unit tests: what both promise is tested on both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clients import client, connect, loop_thread, use_both_clients

__all__ = ["client", "connect", "loop_thread"]

SHARED = ("batch", "http", "models", "resources", "run", "watch")
"""The folders whose tests are run with both clients."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if Path(metafunc.module.__file__ or "").parent.name in SHARED:
        use_both_clients(metafunc)
