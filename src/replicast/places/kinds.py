"""What a plug-in gives to be a place: how it is opened, and options of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replicast.core.ports import Place
    from replicast.executors.pool import Pool


@dataclass(slots=True)
class AtHand:
    """What the process that opens a place can lend it.

    `workers` is how many processes the user wants at once, `function` a model that no file defines, `pool` one that has
    the run's source and its model loaded already, `output` the folder that a run left to itself is collated to, `tell`
    says a line to the user, and `join` asks to share the work with whoever is at work on the run.
    """

    workers: int | None = None
    function: Callable[..., Any] | None = None
    pool: Pool | None = None
    output: Path | None = None
    tell: Callable[[str], None] = field(default=lambda _line: None)
    join: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a place: `--PLACE-NAME` on the command line (or `flag`), `NAME` under [places.PLACE] in a file.

    `check` raises RequestError for a value that cannot be meant. One that is `many` may be given more than once.
    """

    name: str
    help: str
    kind: type[str] | type[int] | type[float] = str
    shown: str = "VALUE"
    many: bool = False
    flag: str = ""

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")


Open = Callable[[str, Mapping[str, Any], AtHand], "Place"]
"""Takes the address (what stands after `://`), the place's own options by key, and what is at hand."""


@dataclass(frozen=True, slots=True)
class PlaceKind:
    """What an entry point of `replicast.places` gives, its name being the place's.

    `here` says that its runs are simulated by the processes that load the model to begin with, `own_packages` that
    its workers have packages of their own, which are not those of the process that asks.
    """

    open: Open
    options: Sequence[Option] = ()
    here: bool = False
    own_packages: bool = False
