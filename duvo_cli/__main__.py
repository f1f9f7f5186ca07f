"""Entry point of the `duvo` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command with `sys.argv` and return its exit code."""
    import duvo

    if sys.argv[1:] == ["--version"]:
        print(f"duvo {duvo.__version__}")
        return 0
    print("duvo: nothing to do yet: only --version is there", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
