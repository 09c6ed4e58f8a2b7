"""One replication of an R model as lines of plain R, for a session in which one can look around."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from replicast.core.antithetic import is_mirrored
from replicast.core.lecuyer import RandomSeed, named_seed, random_seed
from replicast.core.record import RunRecord
from replicast.core.scenarios import Scenario

from .r_literals import literal
from .r_simulate import seed_of

PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._]*")
STREAM_OF = re.compile(r"""replicast_stream\s*\(\s*(["'])(.+?)\1""")
NAMED_STREAMS = """replicast_stream <- local({
  states <- list(
STATES
  )
  function(name) {
    if (is.null(states[[name]])) stop("these lines know the streams ", toString(names(states)))
    function(draw) {
      before <- get(".Random.seed", globalenv())
      assign(".Random.seed", states[[name]], envir = globalenv())
      on.exit({
        states[[name]] <<- get(".Random.seed", globalenv())
        assign(".Random.seed", before, envir = globalenv())
      })
      draw
    }
  }
})"""
OWN_LIBRARY = (
    '.libPaths(c(Sys.glob(file.path(LIBRARY, c("", "*"), paste0("R-", getRversion()[, 1:2]), R.version$platform)), '
    ".libPaths()))"
)
LIKE_DEFAULTS = files("replicast.models").joinpath("r_like_default.R").read_text(encoding="utf-8").rstrip()
RESERVED_WORDS = {"if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL"}


def r_snippet(record: RunRecord, scenario: Scenario, replication: int, folder: str, sources: Sequence[str] = ()) -> str:
    """Lines that load the model from `folder`, set the stream of the replication, and call the function.

    Where its `sources` ask for them, they define `replicast_uniform` and `replicast_stream`. They leave what the
    function returns in `result`, which in an R of the same version and packages equals what is stored.
    """
    experiment, model = record.experiment, record.experiment.model
    streams = experiment.streams
    stream = random_seed(experiment.seed, streams.kind, replication, scenario.index, streams.common, streams.antithetic)
    lines = [
        f"# Replication {replication} of scenario {literal(scenario.name)} of run {record.id}.",
        'Sys.setenv(TZ = "UTC")',
        'invisible(Sys.setlocale("LC_COLLATE", "C"))',
    ]
    if any("replicast_uniform" in text for text in sources):
        drawn = "1 - runif(n)" if is_mirrored(replication, streams.antithetic) else "runif(n)"
        lines.append(f"replicast_uniform <- function(n) {drawn}")
    names = sorted({name for text in sources for _, name in STREAM_OF.findall(text)})
    if stream is not None and names:
        lines.append(_named_streams({name: named_seed(stream, name) for name in names}))
    library = Path(record.project, "renv", "library")
    if library.is_dir():
        lines.append(OWN_LIBRARY.replace("LIBRARY", literal(str(library))))
    lines += [f"setwd({literal(folder)})", f'source({literal(model.file)}, encoding = "UTF-8")']
    if stream is not None:
        lines.append(f'assign(".Random.seed", {_words(stream)}, envir = globalenv())')
    return "\n".join([*lines, _call(record, scenario, replication), "print(result)"]) + "\n"


def _named_streams(seeds: Mapping[str, RandomSeed]) -> str:
    listed = ",\n".join(f"    {literal(name)} = {_words(seed)}" for name, seed in seeds.items())
    return NAMED_STREAMS.replace("STATES", listed)


def _words(seed: RandomSeed) -> str:
    return f"c({', '.join(f'{word}L' for word in seed)})"


def _call(record: RunRecord, scenario: Scenario, replication: int) -> str:
    function, uses = record.experiment.model.function, record.signature.get("uses", ())
    own = {"replication": f"{replication}L"} if "replication" in uses else {}
    for name in ("seed", "seed32"):
        if name in uses:
            own[name] = f"{seed_of(record.experiment, scenario, replication)}L"
    if "antithetic" in uses:
        own["antithetic"] = literal(is_mirrored(replication, record.experiment.streams.antithetic))
    given, shaped = scenario.parameters, _shaped(record, scenario)
    if "params" not in uses and not shaped:
        arguments = {_name(name): literal(value) for name, value in given.items()} | own
        return f"result <- {_name(function)}({_listed(arguments)})"
    lines = [f"given <- {literal(dict(given))}"]
    if shaped:
        lines = [LIKE_DEFAULTS, *lines, f"given <- like_defaults(given, {_name(function)})"]
    passed = "given"
    if "params" in uses:
        own = {"params": "given"} | own
        formal = f"names(formals({_name(function)}))"
        passed = f'given[names(given) %in% {formal} | "..." %in% {formal}]'
    handed = f"c({passed}, list({_listed(own)}))" if own else passed
    return "\n".join([*lines, f"result <- do.call({_name(function)}, {handed})"])


def _listed(arguments: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in arguments.items())


def _shaped(record: RunRecord, scenario: Scenario) -> bool:
    """Whether a value may reach the model as another type, such as a Date; what older versions ran does not say."""
    return any(name in record.signature.get("like_default", (name,)) for name in scenario.parameters)


def _name(name: str) -> str:
    """A name as R's syntax takes it."""
    return name if PLAIN_NAME.fullmatch(name) and name not in RESERVED_WORDS else "`" + name.replace("`", "\\`") + "`"
