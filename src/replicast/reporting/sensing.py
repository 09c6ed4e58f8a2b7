"""A run's sensitivity to its parameters, of a design that was made for it; the estimators are SALib's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicast.core.designs import point_name
from replicast.core.errors import RequestError
from replicast.core.record import RunRecord
from replicast.core.scenarios import Scenario
from replicast.core.sensitivity import USUAL_DRAWS, Array, Estimator, Replicated, elementary_effects, indices

from .comparing import RunValues

NOTABLE_NOISE = 0.05
"""A share of the variance of points' means from which noise moves the indices themselves."""
MOST_DRAWS = 100_000


@dataclass(frozen=True, slots=True)
class SensitivityRow:
    """One measure of one parameter: S1 and ST of a Saltelli design, mu, mu_star and sigma of a Morris design.

    `ci_lower` and `ci_upper` are of points and replications together, `noise_half_width` is of replications alone.
    `points` counts base points or trajectories, `noise_share` is the part of the variance of points' means that
    replications make. `scenario` is what the design was crossed with.
    """

    scenario: str
    metric: str
    parameter: str
    measure: str
    estimate: float | None
    half_width: float | None
    ci_lower: float | None
    ci_upper: float | None
    noise_half_width: float | None
    points: int
    replications: int
    noise_share: float | None
    note: str


def sensitivity_rows(
    values: RunValues, record: RunRecord, *, metrics: Sequence[str] = (), draws: int = USUAL_DRAWS,
    confidence: float = 0.95,
) -> list[SensitivityRow]:  # fmt: skip
    """Each metric (or `metrics`) by parameter. Raises RequestError for a run of another design."""
    if not 2 <= draws <= MOST_DRAWS:
        raise RequestError(f"--draws takes 2 to {MOST_DRAWS:,}, and {draws} is not between them")
    for metric in metrics:
        values.of_metric(metric)
    found = []
    for scenario, members in groups_of(record).items():
        for metric in metrics or values.metrics():
            found += _rows(scenario, metric, members, values, record, draws, confidence)
    return found


def groups_of(record: RunRecord) -> dict[str, list[Scenario]]:
    """The points of the design, in their order, by what they were crossed with ("" for a design alone)."""
    plan = record.design
    if not plan:
        raise RequestError(
            f"run {record.id} has no design for sensitivity: give [design] saltelli = 1024 (Sobol' indices) or "
            "morris = 20 (elementary effects), with [design.ranges]"
        )
    count = int(plan["n"]) * _points_a_row(plan)
    groups: dict[str, list[Scenario]] = {}
    for scenario in record.experiment.scenarios:
        parts = scenario.name.split(",")
        place = next((i for i, part in enumerate(parts) if part.startswith("point-")), None)
        if place is None:
            continue
        own = groups.setdefault(",".join(parts[:place] + parts[place + 1 :]), [])
        if parts[place] != point_name(len(own) + 1):
            raise RequestError(f"the scenarios of run {record.id} are not those of its design, in its order")
        own.append(scenario)
    if not groups or any(len(own) != count for own in groups.values()):
        raise RequestError(f"run {record.id} does not have the {count:,} points of its design")
    return groups


def _points_a_row(plan: Any) -> int:
    return len(plan["parameters"]) + (2 if plan["kind"] == "saltelli" else 1)


def _rows(
    scenario: str, metric: str, members: Sequence[Scenario], values: RunValues, record: RunRecord, draws: int,
    confidence: float,
) -> list[SensitivityRow]:  # fmt: skip
    plan, seed, common = record.design, record.experiment.seed, record.experiment.streams.common
    parameters = list(plan["parameters"])
    table = _table(metric, members, values).reshape(int(plan["n"]), _points_a_row(plan), -1)
    whole: NDArray[np.bool_] = np.isfinite(table).any(axis=2).min(axis=1)
    gone = int((~whole).sum())
    notes = [f"{gone} of {len(whole)} rows of points left out: one of theirs has no value"] if gone else []
    replicated = Replicated(table[whole], common)
    counts = replicated.counts
    n = int(counts.min()) if counts.size else 0
    label = (scenario, metric)
    if int(whole.sum()) < 2 or not replicated.varies:
        why = "the metric does not vary" if int(whole.sum()) > 1 else "fewer than two rows of points have values"
        return [SensitivityRow(*label, p, "", *(None,) * 5, int(whole.sum()), n, None, why) for p in parameters]
    if n == 1:
        notes.append("one replication a point: its noise cannot be told from effects")
    share = replicated.noise_share()
    if share is not None and share > NOTABLE_NOISE:
        notes.append(f"replications make {share:.0%} of the variance of points' means: more of them would sharpen this")
    estimate = _sobol(len(parameters)) if plan["kind"] == "saltelli" else _morris(members, plan, whole)
    found = indices(replicated, parameters, estimate, seed=seed, draws=draws, confidence=confidence)
    return [
        SensitivityRow(
            *label, one.parameter, one.measure, one.estimate, one.half_width, one.estimate - one.half_width,
            one.estimate + one.half_width, one.noise, int(whole.sum()), n, share, "; ".join(notes),
        ) for one in found
    ]  # fmt: skip


def _table(metric: str, members: Sequence[Scenario], values: RunValues) -> Array:
    """A row a point, a column a replication."""
    own = [values.by_scenario.get(scenario.name, {}).get(metric, np.empty(0)) for scenario in members]
    table = np.full((len(own), max(1, *map(len, own))), np.nan)
    for row, found in zip(table, own, strict=True):
        row[: len(found)] = np.where(np.isfinite(found), found, np.nan)
    return table


def _sobol(dimensions: int) -> Estimator:
    """First-order and total indices; a point, its neighbours each with one coordinate of the other, and the other."""
    try:
        from SALib.analyze.sobol import first_order, total_order
    except ImportError:
        raise RequestError("Sobol' indices need SALib: python -m pip install 'replicast[design]'") from None

    def estimate(means: Array, _rows: Any) -> dict[str, Array]:
        spread = float(means.std())
        scaled = (means - means.mean()) / (spread or 1.0)
        first, last = scaled[:, 0], scaled[:, -1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a sample may be of one point alone
            pairs = [
                (first_order(first, scaled[:, 1 + k], last), total_order(first, scaled[:, 1 + k], last))
                for k in range(dimensions)
            ]
        return {"S1": np.array([own for own, _ in pairs]), "ST": np.array([own for _, own in pairs])}

    return estimate


def _morris(members: Sequence[Scenario], plan: Any, whole: Any) -> Estimator:
    """Of elementary effects: their mean, the mean of their sizes and their standard deviation."""
    names = plan["parameters"]
    settings = np.array([[float(scenario.parameters[name]) for name in names] for scenario in members])
    shaped = settings.reshape(int(plan["n"]), len(names) + 1, len(names))[whole]

    def estimate(means: Array, rows: Any) -> dict[str, Array]:
        effects = elementary_effects(means, shaped[rows])
        return {
            "mu": effects.mean(axis=0), "mu_star": np.abs(effects).mean(axis=0), "sigma": effects.std(axis=0, ddof=1)
        }  # fmt: skip

    return estimate
