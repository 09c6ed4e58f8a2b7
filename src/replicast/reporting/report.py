"""The report of a run: what ran, what came out, how sure it is, and how to get every number again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from replicast.core.comparison import Family
from replicast.core.ports import Store
from replicast.core.record import RunRecord, as_people_write

from .as_toml import experiment_as_toml
from .blocks import Block, Code, Document, Facts, Folded, Notes, Paragraph, Part
from .failed import given_function
from .findings import Findings, find
from .page import page
from .report_design import correlations
from .report_estimates import Asked, estimates, options_of
from .report_failures import failures, replay, warnings
from .report_methods import methods, origin
from .report_results import comparison, gathered, metrics, results, scenarios
from .report_sensitivity import sensitivity
from .report_series import series


def report_page(store: Store, record: RunRecord, *, baseline: str | None = None, confidence: float = 0.95) -> str:
    """The page, the same for the same run. Raises RequestError for a baseline or a confidence that is none."""
    return page(report(store, record, baseline=baseline, confidence=confidence))


def report(
    store: Store,
    record: RunRecord,
    *,
    baseline: str | None = None,
    confidence: float = 0.95,
    asked: Asked | None = None,
    family: Family = "all",
) -> Document:
    """`asked` says what is to be estimated beside means, `family` which comparisons are held together."""
    asked = asked or Asked()
    found = find(store, record, baseline=baseline, confidence=confidence, family=family)
    several, given = len(found.scenarios) > 1, given_function(record)
    sections: dict[str, tuple[str, Iterable[Block]]] = {
        "results": ("Results", results(found)),
        "metrics": ("Metric by metric", metrics(found)),
        "together": ("Metrics together", correlations(found)),
        "estimates": ("Further estimates", estimates(found, asked)),
        "sensitivity": ("Sensitivity", sensitivity(found)),
        "comparison": ("Comparison", comparison(found)),
        "series": ("Over time", series(found)),
        "scenarios": ("Scenarios", scenarios(found)),
        "failures": ("Failures", failures(record.id, found.failures, several_scenarios=several, function=given)),
        "warnings": ("Warnings", warnings(record.id, found.work, several_scenarios=several, function=given)),
        "methods": ("Methods, for a paper", methods(found)),
        "again": ("Every number again", _again(found, asked)),
        "origin": ("How it was made", origin(found)),
    }
    parts = [Part(name, title, own) for name, (title, inside) in sections.items() if (own := list(inside))]
    version = record.versions.get("replicast", "")
    return Document(
        title=f"{record.experiment.model.label}: run {record.id}",
        heading=record.experiment.model.label,
        head=list(_header(found)),
        first=[Notes("First to know", list(_first_to_know(found)))],
        parts=parts,
        footer=f"Run {record.id}, by replicast {version}. This page needs no network.",
    )


def _header(found: Findings) -> Iterator[Block]:
    record = found.record
    scenarios = len(found.scenarios)
    each = {record.planned_for(name) for name in found.scenarios}
    replications = f"{min(each):,}" if len(each) == 1 else f"{min(each):,} to {max(each):,}"
    yield Paragraph(f"Run {record.id}, begun {as_people_write(record.created)}", "quiet")
    yield Facts({
        "Replications": replications + (f" of each of {scenarios} scenarios" if scenarios > 1 else ""),
        "Done": f"{found.done:,} of {max(found.planned, found.done):,}",
        "Failed": f"{found.failed:,}",
        "Seed": str(record.experiment.seed),
    })  # fmt: skip


def _first_to_know(found: Findings) -> Iterator[str]:
    """What a reader must know before the first number: what is missing, failed, copied or not precise."""
    if found.done < found.planned:
        missing = found.planned - found.done
        are = "1 replication is" if missing == 1 else f"{missing:,} replications are"
        yield f"The run is not finished: {are} missing."
    if found.failed:
        yield (
            f"{found.failed:,} replication{'s' * (found.failed != 1)} failed, and no mean is of them. Failures "
            "are not missing at random: a model that fails when it is busy leaves the mean of quiet days."
        )
    unmet = [name for name, judgement in found.judgements.items() if judgement.state != "met"]
    if unmet:
        yield f"The precision asked for ({found.record.options.precision}) was not met in: {', '.join(unmet)}."
    yield from gathered(found.summary.notes, found.scenarios)


def _again(found: Findings, asked: Asked) -> Iterator[Block]:
    record = found.record
    run = shlex.quote(record.id)
    given = given_function(record)
    family = f" --family {found.comparison.family}" if found.comparison and found.comparison.family != "all" else ""
    commands = [
        f"replicast summary {run} --confidence {found.confidence:g}",
        f"replicast collate {run} -o results",
        *(f"replicast summary {run} {option}" for option in options_of(asked)),
        *(
            [f"replicast compare {run} --baseline {shlex.quote(found.comparison.baseline)}{family}"]
            if found.comparison
            else []
        ),
        *([f"replicast sensitivity {run}"] if record.design else []),
        *([f"replicast failures {run}"] if found.failures else []),
        replay(record.id, found.scenarios[0], 1, len(found.scenarios) > 1, given),
        f"run.verify(function={given})" if given else f"replicast verify {run}",
    ]
    yield Paragraph(
        "From the stored run, in the folder whose folder runs/ holds it; elsewhere with --store: the summary, every "
        "table, one replication again, and a sample checked."
    )
    yield Code("\n".join(commands))
    yield Paragraph(
        "From nothing: the model's source as it ran lies in the run's folder model/. Beside it, this "
        "experiment.toml gives the same numbers with: replicast run --experiment experiment.toml"
    )
    yield Folded("experiment.toml", [Code(experiment_as_toml(record))])
