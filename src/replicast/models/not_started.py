"""Why a program could not be started, in words that name the file and what to do."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path

LONGEST_FIRST_LINE = 256
NOT_FOUND = 127
"""The exit status of a shell, or of env, that finds no such program."""


def why_not_started(error: OSError, program: str) -> str:
    path = Path(program)
    if not path.is_file():
        return error.strerror or str(error)
    first = first_line(path)
    if first.endswith("\r") and error.errno in (errno.ENOENT, errno.ENOEXEC):
        return windows_line_breaks(path)
    if error.errno == errno.ENOENT and first.startswith("#!"):
        return f"'{path.name}' asks in its first line for the interpreter '{interpreter(first)}', which is not there"
    if error.errno == errno.ENOEXEC and not first.startswith("#!") and "\0" not in first:
        return (
            f"'{path.name}' is no program, and has no first line that says what runs it, as "
            f"#!/usr/bin/env bash does; or name that in the command, as in: sh {shlex.quote(path.name)}"
        )
    if error.errno == errno.EACCES and not os.access(path, os.X_OK):
        return f"'{path}' may not be executed; allow it with: chmod +x {shlex.quote(str(path))}"
    return error.strerror or str(error)


def why_not_found(status: int, program: str) -> str:
    """A clause on a script whose interpreter was not found by env; empty for anything else."""
    path = Path(program)
    if status == NOT_FOUND and path.is_file() and first_line(path).endswith("\r"):
        return f": {windows_line_breaks(path)}"
    return ""


def windows_line_breaks(path: Path) -> str:
    return (
        f"'{path.name}' has the line breaks of Windows (CRLF), which become part of its interpreter's name; give it "
        f"those of Unix, as with: sed -i 's/\\r$//' {shlex.quote(path.name)}"
    )


def first_line(path: Path) -> str:
    """Without its line feed."""
    try:
        with path.open("rb") as file:
            return file.readline(LONGEST_FIRST_LINE).removesuffix(b"\n").decode(errors="replace")
    except OSError:
        return ""


def interpreter(first: str) -> str:
    return first.removeprefix("#!").strip().partition(" ")[0]
