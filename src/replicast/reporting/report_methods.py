"""What a paper has to say of how the numbers were made, after STRESS-DES, and all that decided them.

Monks, Currie, Onggo, Robinson, Kunc and Taylor (2019), Strengthening the reporting of empirical simulation studies:
introducing the STRESS guidelines, Journal of Simulation 13, 55–67, doi 10.1080/17477778.2018.1442155.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from replicast.core.record import as_people_write
from replicast.core.spoken import counted
from replicast.models import language_or_any

from .blocks import Block, Folded, Grid, Paragraph
from .comparing import Comparison
from .findings import Findings
from .noted import checking

TO_BE_ADDED = (
    "purpose and outputs of the model (STRESS-DES 1)", "its logic and the alternatives' (2)",
    "data, sources and assumptions (3)", "warm-up, run length and initial state of a replication (4.1, 4.2)",
    "where the model's code can be had (6)",
)  # fmt: skip


def methods(found: Findings) -> Iterator[Block]:
    yield Paragraph(
        "To be copied into a paper: sections 4 (experimentation) and 5 (implementation) of the STRESS-DES "
        "guidelines, as far as the run knows. What it does not know, and its author adds: "
        + "; ".join(TO_BE_ADDED) + "."
    )  # fmt: skip
    yield from (Paragraph(text, "copied") for text in methods_text(found).split("\n\n"))


def methods_text(found: Findings) -> str:
    """A paragraph on experimentation and one on implementation."""
    return f"{_experimentation(found)}\n\n{_implementation(found)}"


def _experimentation(found: Findings) -> str:
    record, names = found.record, found.scenarios
    each = {record.planned_for(name) for name in names}
    number = f"{min(each):,}" if len(each) == 1 else f"{min(each):,} to {max(each):,}"
    of = f" of each of {len(names)} scenarios" if len(names) > 1 else ""
    kind = "replications in antithetic pairs" if found.summary.paired else "independent replications"
    text = [f"{number} {kind}{of} were planned and {found.done:,} were run"]
    text.append(f", of which {found.failed:,} failed and are in no mean. " if found.failed else ". ")
    if record.options.precision:
        text.append(_sequential(found))
    unit = "pair's mean" if found.summary.paired else "replication"
    text.append(
        f"Means over replications are given with two-sided {found.level} confidence intervals by {_interval(found)}, "
        f"each {unit} being one observation. "
    )
    own = found.comparison
    if own is not None and own.differences:
        adjusted = " and Bonferroni's adjustment for several comparisons" if len(own.differences) > 1 else ""
        text.append(f"Scenarios were compared with {own.baseline} by {_test(own)}{adjusted}. ")
    return "".join(text).strip()


def _sequential(found: Findings) -> str:
    goal, states = found.record.options.precision, [judgement.state for judgement in found.judgements.values()]
    met = states.count("met")
    if met == len(states):
        return f"Their number was decided sequentially, until the precision {goal} was met. "
    reached = "which was not reached" if not met else f"which {met} of {len(states)} scenarios reached"
    return f"Their number was decided sequentially by the precision {goal}, {reached}. "


def _interval(found: Findings) -> str:
    """How the intervals of the summary's rows are made, as `core.statistics.summary_row` makes them."""
    proportions = sorted({row.metric for row in found.summary.rows} & set(found.summary.booleans))
    if not proportions:
        return "Student's t distribution"
    if all(row.metric in found.summary.booleans for row in found.summary.rows):
        return "Wilson's score method (proportions)"
    return f"Student's t distribution, and by Wilson's score method for proportions ({', '.join(proportions)})"


def _test(comparison: Comparison) -> str:
    """How the differences are judged, as `core.differences` judges them; an exact test stands in its row's note."""
    means = "paired t over common random numbers" if comparison.paired else "Welch's t over independent replications"
    exact = [row.note for row in comparison.differences if row.note.endswith("exact test")]
    if not exact:
        return means
    name = exact[0].removeprefix("by ")
    return name if len(exact) == len(comparison.differences) else f"{means}, by {name} where all values are 0 or 1,"


def _implementation(found: Findings) -> str:
    record = found.record
    experiment, versions = record.experiment, record.versions
    name, kind = experiment.model.language, language_or_any(experiment.model)
    runtime = kind.runtime or name
    text = [f"The model ({experiment.model.label}"]
    text.append(f", {kind.title or name} {versions.get(runtime, '')}".rstrip())
    text.append(f") was run by replicast {versions.get('replicast', '')}".rstrip())
    packages = [f"{name} {own}" for name, own in versions.items() if name not in (runtime, "replicast")]
    text.append(f", with {', '.join(packages)}" if packages else "")
    generator = kind.streams.get(experiment.streams.kind, experiment.streams.kind)
    shared = "the same for every scenario" if experiment.streams.common else "separate for each scenario"
    text.append(f". Random numbers: seed {experiment.seed}; {generator}; streams are {shared}. ")
    text.append(f"Replications were run {_where(found)}, and took {hours(found.work.seconds)} in all")
    spent = sum(one.seconds for one in found.stretches)
    text.append(f", {hours(spent)} of wall time. " if spent else ". ")
    source = f"git commit {record.git_commit.removesuffix('+')}" if record.git_commit else "no git commit"
    changed = " with uncommitted changes" if record.git_commit.endswith("+") else ""
    text.append(f"Source of the model: {source}{changed}, SHA-256 {record.code_hash[:16]}….")
    return "".join(text)


def _where(found: Findings) -> str:
    """By how many workers of how many machines, as far as their results say, and the place by its name."""
    workers, machines, place = found.work.workers, len(found.work.machines), found.record.place.partition("://")[0]
    by = f"by {number_of(workers, 'worker')} on {number_of(machines, 'machine')} " if workers else ""
    return f"{by}(place: {place})"


def number_of(count: int, what: str) -> str:
    return f"one {what}" if count == 1 else f"{count:,} {what}s"


def hours(seconds: float) -> str:
    """A duration for the eye."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:,.3g} h"


def origin(found: Findings) -> Iterator[Block]:
    rows = [[name, value] for name, value in _facts(found).items() if value]
    yield Grid("What decided the numbers, and where they were computed", ["what", "which"], rows, words=(1,))
    yield Grid("What it took", ["what", "which"], [[k, v] for k, v in _effort(found).items() if v], words=(1,))
    versions = [[name, version] for name, version in found.record.versions.items()]
    listed = Grid("Versions", ["package", "version"], versions, words=(1,))
    yield listed if len(versions) <= 12 else Folded(f"All {len(versions)} packages", [listed])


def _facts(found: Findings) -> Mapping[str, str]:
    record, experiment = found.record, found.record.experiment
    streams = "the same for every scenario" if experiment.streams.common else "separate for each scenario"
    pairs = ", in antithetic pairs" if experiment.streams.antithetic else ""
    commit = record.git_commit.removesuffix("+")
    changed = " with uncommitted changes" if record.git_commit.endswith("+") else ""
    return {
        "run": record.id,
        "begun": as_people_write(record.created),
        "model": f"{experiment.model.label} ({experiment.model.language})",
        "hash of the source": record.code_hash,
        "git commit": commit + changed if commit else "none",
        "seed": str(experiment.seed),
        "random number streams": f"{experiment.streams.kind}, {streams}{pairs}",
        "place": record.place,
        "machine": record.host,
        "user": record.user,
        "simulated twice": _looked_again(found),
        "timeout": f"{record.options.timeout_seconds:g} s" if record.options.timeout_seconds else "none",
    }


def _looked_again(found: Findings) -> str:
    """Whether a replication that was simulated again, after others, came out the same."""
    if not found.looks:
        return f"none; not checked: {checking(found.record, found.tables.store.label)}"
    listed = [f"replication {one.replication} of {one.scenario}" for one in found.looks if not one.differences]
    different = [f"replication {one.replication} of {one.scenario}" for one in found.looks if one.differences]
    parts = [f"{', '.join(listed)}: the same again"] if listed else []
    return "; ".join([*parts, *([f"{', '.join(different)}: NOT the same again"] if different else [])])


def _effort(found: Findings) -> Mapping[str, str]:
    """Wall time is of whoever conducted the run; where it went on by itself, as on AWS, nobody did."""
    work, stretches = found.work, found.stretches
    mean = work.seconds / work.replications if work.replications else 0.0
    machines = f" on {', '.join(work.machines[:6])}" + (", …" if len(work.machines) > 6 else "")
    home = set(work.machines) <= {found.record.host}
    return {
        "time in the model": f"{hours(work.seconds)} over {counted(work.replications, 'replication')} "
        f"({hours(mean)} each, the longest {hours(work.longest)})" if work.replications else "",
        "wall time": f"{hours(sum(one.seconds for one in stretches))}"
        + (f" in {len(stretches)} stretches" if len(stretches) > 1 else "") if stretches else "not known",
        "cores of the machine": ", ".join(dict.fromkeys(f"{one.cores} ({one.host})" for one in stretches)),
        "workers": f"{work.workers:,}{machines if work.machines else ''}" if work.workers else "",
        "cost": "none but this machine's time" if home else f"{hours(work.seconds)} of workers, at the place's prices",
    }  # fmt: skip
