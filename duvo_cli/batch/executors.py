"""Where the work of a batch is done: threads here, or workers of a Dask cluster."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from importlib import import_module

from ..errors import CommandFailed
from ..output import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

_DASK = "dask:"
_LONGEST_TO_CONNECT = "10s"


def executor_name(text: str) -> str:
    """`threads` or `dask:ADDRESS`, as an argument's type."""
    if text != "threads" and not (text.startswith(_DASK) and text != _DASK):
        raise argparse.ArgumentTypeError(f"{text!r} is neither threads nor dask:ADDRESS")
    return text


@contextmanager
def executor_of(name: str) -> Iterator[Executor | None]:
    """The executor of that name while the block lasts; None for the SDK's own threads.

    Raises:
        CommandFailed: Dask is not installed, or its scheduler is not there.
    """
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
        # A client that is given an address that is none cannot be closed without a traceback.
        distributed.comm.get_address_host_port(address)
        dask = distributed.Client(address, timeout=_LONGEST_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"cannot reach the Dask scheduler at {address}: {error}") from None
    with dask:
        if not dask.nthreads():
            terminal.say(f"the Dask scheduler at {address} has no workers, and waits for one")
        yield dask.get_executor()
