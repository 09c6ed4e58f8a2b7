"""What version control ignores in a project, submodules and nested work trees included: git itself is asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

IGNORED = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
LONGEST_SECONDS = 20
NO_GIT = "git could not be asked what it ignores here, so nothing was left out for that reason"


def in_work_tree(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))


def files_ignored(folder: Path) -> set[str] | None:
    """Names below `folder` of files and whole folders that its repository ignores; None where git cannot be asked.

    A folder that is ignored itself is no less a project: all of it counts.
    """
    try:
        if _git(folder, "check-ignore", "-q", ".").returncode == 0:
            return set()
        listed = _git(folder, *IGNORED)
    except (OSError, subprocess.SubprocessError):
        return None
    if listed.returncode != 0:
        return None
    return {name.rstrip("/") for name in os.fsdecode(listed.stdout).split("\0")} - {"", "."}


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Of the repository that `folder` lies in, whichever one a hook or a shell has named for another."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("GIT_CONFIG")}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, capture_output=True, check=False, timeout=LONGEST_SECONDS, env=environment, stdin=subprocess.DEVNULL
    )
