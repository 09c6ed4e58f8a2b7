"""Whose code is about to run: a store's owner may have put any into a run, and it would have this user's rights."""

from __future__ import annotations

import argparse
import getpass
import platform
import sys
from typing import Any

from replicast.core.errors import RequestError

from .harmless import harmless
from .screen import say_words


def maker_of(record: Any) -> str:
    """Who made a run, and where, if that was not this user on this machine; empty for one's own."""
    try:
        me = getpass.getuser()
    except (OSError, KeyError):
        me = ""
    if (record.user, record.host) == (me, platform.node()):
        return ""
    return f"'{record.user or 'somebody'}' on '{record.host or 'another machine'}'"


def check_trust(record: Any, chosen: argparse.Namespace) -> None:
    """Asks on a terminal before a run of someone else's is simulated here. Raises RequestError without a yes."""
    if not is_trusted(record, chosen):
        raise RequestError(
            f"run {record.id} was made by {maker_of(record)}, and this would run the code that is stored with it, with "
            "your rights: look at it (its files are the run's documents model/…), and say --trust"
        )


def is_trusted(record: Any, chosen: argparse.Namespace) -> bool:
    maker = maker_of(record)
    if not maker or chosen.trust:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    say_words(f"run {record.id} was made by {maker}; the code that is stored with it would run here, with your rights")
    print(harmless("run it? (--trust answers yes) [y/N] "), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
