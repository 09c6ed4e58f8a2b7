"""Everything that depends on the operating system: its processes, their deaths, its memory. Linux and macOS alike."""

import sys

NOT_ON_WINDOWS = (
    "replicast runs on Linux and macOS, not on Windows itself: on Windows, use it in WSL, see docs/how-to/windows.md"
)


def runs_here() -> bool:
    return sys.platform != "win32"
