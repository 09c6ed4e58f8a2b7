"""What takes longest of a run's start is begun before the arguments are read: the process that workers are forked from.

Only for `run`, and not where it is asked for help alone. Whatever is not taken is ended with the command.
"""

from __future__ import annotations

from collections.abc import Sequence

from replicast.executors.forking import Zygote, begin_to_fork
from replicast.machine.forks import can_fork

BEGUN: list[Zygote] = []


def begin(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["run"] and len(arguments) > 1 and not {"-h", "--help"} & set(arguments) and can_fork():
        BEGUN.extend(filter(None, [begin_to_fork()]))


def take() -> Zygote | None:
    """For whoever will end it."""
    return BEGUN.pop() if BEGUN else None


def end() -> None:
    if zygote := take():
        zygote.end()
