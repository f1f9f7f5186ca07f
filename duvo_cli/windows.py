"""The console of Windows."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_ESCAPES = 4  # ENABLE_VIRTUAL_TERMINAL_PROCESSING


def make_obey_escapes(stream: TextIO) -> bool:
    """Make the console of this stream obey escape sequences, and return whether it does."""
    import ctypes
    import msvcrt

    # typeshed has these names on Windows only.
    console = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    handle = ctypes.c_void_p(
        msvcrt.get_osfhandle(stream.fileno())  # type: ignore[attr-defined, unused-ignore]
    )
    mode = ctypes.c_ulong()
    if not console.GetConsoleMode(handle, ctypes.byref(mode)):
        return False
    return bool(mode.value & _ESCAPES or console.SetConsoleMode(handle, mode.value | _ESCAPES))
