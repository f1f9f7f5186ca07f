"""`python -m tests.support.execute_notebook FILE`: run a notebook, and write its outputs into it.

In a process of its own: a kernel's client has an event loop, threads and warnings of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main() -> None:
    """Run the cells in a kernel that listens on loopback, until one fails."""
    file = Path(sys.argv[1])
    notebook = nbformat.read(file, as_version=4)
    try:
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    finally:
        nbformat.write(notebook, file)


if __name__ == "__main__":
    main()
