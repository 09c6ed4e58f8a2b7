"""The git commit of the work tree that a model lies in."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(folder: Path) -> str:
    """The commit of the work tree that holds `folder`, with '+' where it has changes; empty where there is none."""
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return ""
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "."]
    try:
        state = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = state.stdout.splitlines()
    commit = next((line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")), "")
    changed = any(line for line in lines if not line.startswith("#"))
    return "" if commit in ("", "(initial)") else commit + ("+" if changed else "")
