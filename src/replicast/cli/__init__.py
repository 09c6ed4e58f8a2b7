"""The command line: the only place that prints."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from replicast.core.errors import ModelError, ReplicastError
from replicast.core.spoken import IN_SHELL

from .harmless import harmless

INTERRUPTED = 130
ASCII = {"±": "+/-", "…": "...", "·": "|", "✓": "+", "✗": "x", "–": "-", "−": "-", "×": "x", "━": "=", "╺": " ",
         "─": "-", "│": "|", "’": "'", "\N{NO-BREAK SPACE}": " "}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0, 1, 2, 3, 4 or 130, as the reference says."""
    from replicast.machine import NOT_ON_WINDOWS, runs_here

    if not runs_here():
        print(f"replicast: {NOT_ON_WINDOWS}", file=sys.stderr)
        return 2
    from . import early

    given = list(sys.argv[1:] if arguments is None else arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    in_shell = IN_SHELL.set(True)
    try:
        early.begin(given)
        from .arguments import parse

        speak_any_encoding()
        return int(parse(given))
    except ReplicastError as error:
        complain(error, as_json="--json" in given)
        return error.exit_code
    except KeyboardInterrupt:
        print("replicast: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        early.end()
        IN_SHELL.reset(in_shell)


def speak_any_encoding() -> None:
    """Has signs that a terminal's or file's encoding lacks written in ASCII, instead of ending in an error."""
    codecs.register_error("replicast", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replicast")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(ASCII.get(c, c.encode("ascii", "backslashreplace").decode()) for c in lost), error.end


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def complain(error: ReplicastError, *, as_json: bool) -> None:
    """What is wrong, on stderr; the model's own traceback whole, as the model's."""
    detail = error.detail.rstrip() if isinstance(error, ModelError) else ""
    if detail:
        print("--- the model's own message ---", harmless(detail), "---", sep="\n", file=sys.stderr)
    print(harmless(f"replicast: {error}"), file=sys.stderr)
    if as_json:
        import json

        print(json.dumps({"error": type(error).__name__, "message": str(error), "exit_status": error.exit_code}))
