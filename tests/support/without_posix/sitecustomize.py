"""Removes the parts of Python that only POSIX has; loaded at start if this folder is in PYTHONPATH.

The parts that the standard library needs on POSIX stay: AF_UNIX for socket pairs,
`os.set_blocking` for a signal's pipe, `os.sysconf` for asyncio since 3.12, and `sys.platform`
and `os.name`, by which packages choose their code.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from types import ModuleType
from typing import Any

MODULES = (
    *("fcntl", "grp", "nis", "ossaudiodev", "pty", "pwd", "readline", "resource"),
    *("spwd", "syslog", "termios", "tty"),
)

NAMES: dict[Any, str] = {
    os: (
        "O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC "
        "chown chroot confstr ctermid fchdir fchmod fchown fdatasync fork forkpty "
        "getegid geteuid getgid getgroups getloadavg getpgid getpgrp getpriority getsid getuid "
        "killpg lchown lockf mkfifo mknod nice openpty pipe2 posix_spawn posix_spawnp pread "
        "preadv pwrite pwritev readv register_at_fork sched_getaffinity sched_setaffinity "
        "sendfile setgid setpgid setsid setuid statvfs sync tcgetpgrp "
        "tcsetpgrp ttyname uname wait wait3 wait4 waitid writev"
    ),
    select: "epoll kqueue poll",
    signal: (
        "ITIMER_PROF ITIMER_REAL ITIMER_VIRTUAL SIG_BLOCK SIG_SETMASK SIG_UNBLOCK alarm getitimer "
        "pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigtimedwait sigwait "
        "sigwaitinfo"
    ),
    time: "clock_getres clock_gettime clock_settime pthread_getcpuclockid tzset",
}

SIGNALS = ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN")
"""Names in `signal` that Windows has too."""


def remove_posix() -> None:
    """Remove the modules, names, abilities and signals."""
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in NAMES.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    # Relative to an open directory, nothing can be opened.
    os.supports_dir_fd.clear()
    for name in [name for name in vars(signal) if name.startswith("SIG") and name.isupper()]:
        if name not in SIGNALS:
            delattr(signal, name)


def msvcrt() -> ModuleType:
    """Return a module in place of Windows' msvcrt: nothing is typed, and locks are recorded."""
    module: Any = ModuleType("msvcrt")
    module.LK_LOCK = 1
    module.kbhit = lambda: False
    module.locking = _note_lock
    return module  # type: ignore[no-any-return]


def _note_lock(descriptor: int, mode: int, size: int) -> None:
    os.fstat(descriptor)
    if notes := os.environ.get("LOCKS_NOTED_IN"):
        with open(notes, "a", encoding="utf-8") as file:  # noqa: PTH123  # loads no pathlib
            file.write(f"{mode} {size}\n")


# Loaded first: it uses some of these names while it is imported.
import subprocess  # noqa: E402, F401

remove_posix()
sys.modules["msvcrt"] = msvcrt()
