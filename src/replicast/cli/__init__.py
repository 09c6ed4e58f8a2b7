"""The command line: the only place that prints."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from replicast.core.errors import ModelError, ReplicastError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0, 1, 2, 3, 4 or 130, as the reference says."""
    from .arguments import parse

    given = list(sys.argv[1:] if arguments is None else arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
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


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def complain(error: ReplicastError, *, as_json: bool) -> None:
    """What is wrong, on stderr; the model's own traceback whole, as the model's."""
    detail = error.detail.rstrip() if isinstance(error, ModelError) else ""
    if detail:
        print("--- the model's own message ---", detail, "---", sep="\n", file=sys.stderr)
    print(f"replicast: {error}", file=sys.stderr)
    if as_json:
        import json

        print(json.dumps({"error": type(error).__name__, "message": str(error), "exit_status": error.exit_code}))
