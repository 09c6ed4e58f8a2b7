"""The languages that replicast comes with; each is imported when a model in it is opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.core.errors import ModelError
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.ports import Model

from .environments import r_lines, r_versions
from .r_advice import for_missing_function
from .registry import EACH, LanguageKind, Tables

if TYPE_CHECKING:
    from arro3.core import Table

PCG64 = "NumPy's PCG64, seeded by SeedSequence(seed, spawn_key = (replication − 1,))"
MRG32K3A = "L'Ecuyer's MRG32k3a, one {} a replication, as {} gives them"
R_SEED = 2**31 - 1


def open_python(
    folder: Path, experiment: Experiment, *, log: Any, function: Any = None, project: Path | None = None, **_: Any
) -> Model:
    from .python import PythonModel

    return PythonModel(folder, experiment, log=log, function=function, project=project)


def open_r(folder: Path, experiment: Experiment, *, scratch: Path, timeout_seconds: float | None, **_: Any) -> Model:
    from .r import RModel

    return RModel(folder, experiment, timeout_seconds=timeout_seconds, scratch=scratch)


def open_command(
    folder: Path, experiment: Experiment, *, scratch: Path, timeout_seconds: float | None, **_: Any
) -> Model:
    from .command import CommandModel

    return CommandModel(folder, experiment, timeout_seconds=timeout_seconds, scratch=scratch)


def collate_in_python(folder: Path, _experiment: Experiment, *, reference: ModelReference, run: Any, **_: Any) -> Any:
    """`collate(run)`. What it prints is no result of a command."""
    from .python import load_function, model_traceback, working_in

    with working_in(folder), redirect_stdout(sys.stderr):
        function = load_function(folder, reference)
        try:
            return function(run)
        except (Exception, SystemExit) as error:
            label = f"{reference.file or reference.module}:{reference.function}"
            message = f"{label} failed: {type(error).__name__}: {error}"
            raise ModelError(message, model_traceback(error, os.path.realpath(folder))) from None


def collate_in_r(
    folder: Path, experiment: Experiment, *, scratch: Path, tables: Callable[[], Mapping[str, Table]],
    objects: Sequence[Path] | None, **_: Any,
) -> Tables:  # fmt: skip
    """`collate(tables)`, or `collate(objects)`."""
    from .r import RModel

    model = RModel(folder, experiment, timeout_seconds=None, scratch=scratch)
    return Tables(model.collate(tables() if objects is None else None, objects or ()))


def refuses_r_seed(seed: int) -> str:
    return f"an R seed lies between -{R_SEED} and {R_SEED}, and {seed} does not" if abs(seed) > R_SEED else ""


def snippet_of_r(*arguments: Any) -> str:
    from .r_snippet import r_snippet

    return r_snippet(*arguments)


def missed_by_python(message: str, outside: Mapping[str, str]) -> str:
    from .python_missing import had_from_elsewhere

    return had_from_elsewhere(message, outside)


PYTHON = LanguageKind(
    open_python, (".py",), debugs=True, title="Python", runtime="python", streams={**EACH, "parallel": PCG64},
    collate=collate_in_python, missed=missed_by_python,
)  # fmt: skip
R = LanguageKind(
    open_r, (".r",), ends_overdue=True, programs="R", needs_r=True, title="R", runtime="R",
    streams={
        **EACH, "parallel": MRG32K3A.format("stream", "R's parallel::nextRNGStream"),
        "future": MRG32K3A.format("sub-stream", "future.apply"), "doRNG": MRG32K3A.format("stream", "doRNG"),
    },
    refuses_seed=refuses_r_seed, keeps=("rds", "files"), root_marks=(".here", "*.Rproj", "DESCRIPTION", "renv.lock"),
    no_function=for_missing_function, collate=collate_in_r, snippet=snippet_of_r, environment=r_lines,
    versions_here=r_versions,
)  # fmt: skip
COMMAND = LanguageKind(
    open_command, ends_overdue=True, programs="a command", title="a program of its own",
    streams=dict.fromkeys(EACH, "one 63-bit seed a replication, which the program is given"), keeps=(),
)  # fmt: skip
CALLABLE = LanguageKind(
    open_python, travels=False, title="Python", runtime="python", streams={**EACH, "parallel": PCG64},
    missed=missed_by_python,
)  # fmt: skip
