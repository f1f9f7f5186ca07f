"""Where a batch does its work: threads of this process, or workers of a Dask cluster."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from ..errors import CommandFailed
from ..output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Executor

_DASK = "dask:"


def executor_name(text: str) -> str:
    """An argument type: `threads` or `dask:ADDRESS`."""
    if text != "threads" and not (text.startswith(_DASK) and text != _DASK):
        raise argparse.ArgumentTypeError(f"{text!r} is neither threads nor dask:ADDRESS")
    return text


@contextmanager
def executor_of(name: str) -> Iterator[Executor | None]:
    """Provide the executor during a block; None stands for the SDK's own threads."""
    if name == "threads":
        yield None
        return
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise CommandFailed(
            f"--executor {name} needs a package that is missing (distributed); "
            'install it: pip install "duvo[dask]"'
        ) from None
    address = name.removeprefix(_DASK)
    try:
        # A Dask client with a malformed address cannot be closed without a traceback.
        distributed.comm.get_address_host_port(address)
        dask = distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"cannot reach the Dask scheduler at {address}: {error}") from None
    with dask:
        if not dask.nthreads():
            terminal.say(f"the Dask scheduler at {address} has no workers; waiting for one")
        yield dask.get_executor()
