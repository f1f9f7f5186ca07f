"""Running programs that fork while they have threads."""

from __future__ import annotations

import sys

PYTHON_FOR_FORKS = (sys.executable, "-W", "ignore:This process:DeprecationWarning")
"""Python without the warning that it gives in the parent since 3.12."""
