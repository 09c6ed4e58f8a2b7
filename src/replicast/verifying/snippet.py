"""One replication of an R model as lines of plain R, for a session in which one can look around."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from replicast.core.antithetic import is_mirrored
from replicast.core.errors import RequestError
from replicast.core.given import whole_number
from replicast.core.lecuyer import RandomSeed, named_seed, random_seed
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.scenarios import Scenario
from replicast.models.r_literals import literal
from replicast.models.r_simulate import seed_of
from replicast.performing.copies import check_out
from replicast.reporting.files import write_text

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


class Snippets:
    """A run's replications as lines of R."""

    store: Store

    @property
    def record(self) -> RunRecord:
        raise NotImplementedError

    def _replication(self, scenario: str | None, replication: int) -> tuple[Scenario, int]:
        chosen = self.record.experiment.scenario(scenario) if scenario else self.record.experiment.scenarios[0]
        number = whole_number(replication, "replay") or 0
        if number < 1:
            raise RequestError(f"replications are numbered from 1, and {number} is not")
        return chosen, number

    def snippet(self, replication: int, scenario: str | None = None, folder: str = "<the model's files>") -> str:
        """The lines of R that simulate a `replication` of a `scenario` (the first, if not given).

        The model's files are in `folder`. No lines for models in other languages.
        """
        chosen, replication = self._replication(scenario, replication)
        if not has_snippet(self.record):
            return ""
        return r_snippet(self.record, chosen, replication, folder, source_texts(self.store, self.record))

    def write_snippet(self, replication: int, file: Path, source: Path, scenario: str | None = None) -> None:
        """Writes the `snippet` of a `replication` of a `scenario` to `file`, and the model's files to `source`.

        Raises RequestError for a model that is not R's, and where the folder `source` is there already.
        """
        lines = self.snippet(replication, scenario, str(source.absolute()))
        write_snippet(self.store, self.record, lines, file, source)


def has_snippet(record: RunRecord) -> bool:
    return record.experiment.model.language == "r"


def source_texts(store: Store, record: RunRecord) -> list[str]:
    """What stands in the R files of the run's copy of its source."""
    found = (store.read(record.id, f"model/{name}") for name in record.files if name.lower().endswith(".r"))
    return [content.decode(errors="replace") for content in found if content]


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
