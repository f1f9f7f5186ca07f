"""Whether a process is running."""

from __future__ import annotations

import os
import sys


def is_running(pid: int) -> bool:
    """Whether there is a process with this number, whoever owns it."""
    if sys.platform == "win32":
        return _is_running_on_windows(pid)
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _is_running_on_windows(pid: int) -> bool:
    # There, os.kill(pid, 0) would send Ctrl-C.
    import ctypes

    query_limited_information, still_active = 0x1000, 259
    windows = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    process = windows.OpenProcess(query_limited_information, False, pid & 0xFFFFFFFF)
    if not process:
        return False
    code = ctypes.c_ulong()
    found = windows.GetExitCodeProcess(process, ctypes.byref(code))
    windows.CloseHandle(process)
    return bool(found) and code.value == still_active
