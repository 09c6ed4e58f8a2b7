"""One replication of an R model as lines of plain R, for a session in which one can look around."""

from __future__ import annotations

import re
from pathlib import Path

from replicast.core.antithetic import is_mirrored
from replicast.core.errors import RequestError
from replicast.core.lecuyer import random_seed
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.scenarios import Scenario
from replicast.models.r_literals import literal
from replicast.models.r_simulate import seed_of
from replicast.performing.copies import check_out
from replicast.reporting.files import write_text

PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._]*")
RESERVED_WORDS = {"if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL"}


def has_snippet(record: RunRecord) -> bool:
    return record.experiment.model.language == "r"


def r_snippet(record: RunRecord, scenario: Scenario, replication: int, folder: str) -> str:
    """Lines that load the model from `folder`, set the stream of the replication, and call the function.

    They leave what it returns in `result`, which in an R of the same version and packages equals what is stored.
    """
    experiment, model = record.experiment, record.experiment.model
    lines = [
        f"# Replication {replication} of scenario {literal(scenario.name)} of run {record.id}.",
        'Sys.setenv(TZ = "UTC")',
        'invisible(Sys.setlocale("LC_COLLATE", "C"))',
        f"setwd({literal(folder)})",
        f'source({literal(model.file)}, encoding = "UTF-8")',
    ]
    streams = experiment.streams
    stream = random_seed(experiment.seed, streams.kind, replication, scenario.index, streams.common, streams.antithetic)
    if "antithetic" in record.signature.get("uses", ()):
        drawn = "1 - runif(n)" if is_mirrored(replication, streams.antithetic) else "runif(n)"
        lines.append(f"replicast_uniform <- function(n) {drawn}")
    call = _call(record, scenario, replication)
    if stream is not None:
        lines.append(f'assign(".Random.seed", c({", ".join(f"{word}L" for word in stream)}), envir = globalenv())')
    return "\n".join([*lines, call, "print(result)"]) + "\n"


def write_snippet(store: Store, record: RunRecord, lines: str, file: Path, source: Path) -> None:
    """Writes the lines to `file`, and the model's files to the folder `source`.

    Raises RequestError where there are no lines, and where `source` is there already.
    """
    if source.exists():
        raise RequestError(f"'{source}' is there already; name another file")
    if not lines:
        raise RequestError(f"{record.experiment.model.label} is no R model, so that R has no lines for it")
    check_out(store, record.id, source, record.files)
    write_text(file, lines)


def _call(record: RunRecord, scenario: Scenario, replication: int) -> str:
    function, uses = record.experiment.model.function, record.signature.get("uses", ())
    own = {"replication": f"{replication}L"} if "replication" in uses else {}
    for name in ("seed", "seed32"):
        if name in uses:
            own[name] = f"{seed_of(record.experiment, scenario, replication)}L"
    if "antithetic" in uses:
        own["antithetic"] = literal(is_mirrored(replication, record.experiment.streams.antithetic))
    given = {_name(name): literal(value) for name, value in scenario.parameters.items()}
    if "params" not in uses:
        arguments = ", ".join(f"{name} = {value}" for name, value in (given | own).items())
        return f"result <- {_name(function)}({arguments})"
    arguments = ", ".join(["params = given", *(f"{name} = {value}" for name, value in own.items())])
    known = f"given[names(given) %in% names(formals({_name(function)}))]"
    return (
        f"given <- {literal(dict(scenario.parameters))}\n"
        f"result <- do.call({_name(function)}, c({known}, list({arguments})))"
    )


def _name(name: str) -> str:
    """A name as R's syntax takes it."""
    return name if PLAIN_NAME.fullmatch(name) and name not in RESERVED_WORDS else "`" + name.replace("`", "\\`") + "`"
