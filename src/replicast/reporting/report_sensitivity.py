"""The report's sensitivity: what each metric depends on, of a run whose scenarios are the points of a design for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from replicast.core.digits import shown
from replicast.core.errors import RequestError

from .blocks import Block, Figure, Grid, Notes, Paragraph, Picture
from .charts import Interval, interval_plot
from .drawing import minus, short
from .findings import Findings
from .report_results import bounds, file_name
from .sensing import SensitivityRow, sensitivity_rows

NAMES = {"S1": "S1", "ST": "ST", "mu": "μ", "mu_star": "μ*", "sigma": "σ"}
DRAWN = {"S1": "first-order index", "ST": "total index", "mu_star": "mean size of elementary effects"}
SOURCES = {
    "saltelli": "Sobol' indices after Saltelli et al. (2010): S1 is the share of the variance that a parameter "
    "explains alone, ST the share that is lost when it is fixed, interactions included.",
    "morris": "Elementary effects after Morris (1991) and Campolongo et al. (2007): how a metric changes as one "
    "parameter goes over its whole range; μ* is the mean of their sizes, σ how far they depend on where others are.",
}


def sensitivity(found: Findings) -> Iterator[Block]:
    design = found.record.design
    if not design:
        return
    try:
        rows = sensitivity_rows(found.values, found.record, confidence=found.confidence)
    except RequestError as error:
        yield Paragraph(str(error))
        return
    yield Paragraph(
        f"{SOURCES[design['kind']]} A point's value is its mean over replications. Intervals ({found.level}) are of "
        "points and replications, both drawn anew; ± of noise is what replications alone give of them."
    )
    for scenario, metric in dict.fromkeys((row.scenario, row.metric) for row in rows):
        yield from _metric([row for row in rows if (row.scenario, row.metric) == (scenario, metric)])


def _metric(rows: Sequence[SensitivityRow]) -> Iterator[Block]:
    scenario, metric = rows[0].scenario, rows[0].metric
    title = f"Sensitivity of {metric}" + (f", {scenario}" if scenario else "")
    for measure in (name for name in DRAWN if any(row.measure == name for row in rows)):
        own = sorted((row for row in rows if row.measure == measure), key=lambda row: -(row.estimate or 0.0))
        intervals = [Interval(row.parameter, row.estimate, row.ci_lower, row.ci_upper) for row in own]
        plot = interval_plot(intervals, f"{title}: {DRAWN[measure]}", NAMES[measure], zero=True)
        name = file_name("-".join(filter(None, (metric, scenario, "sensitivity", measure))))
        yield Figure([Picture(name, plot)], f"{title}: {DRAWN[measure]} of each parameter.")
    cells = [
        [row.parameter, NAMES.get(row.measure, ""), minus(shown(row.estimate, row.half_width)),
         bounds(row.ci_lower, row.ci_upper), "" if row.noise_half_width is None else short(row.noise_half_width)]
        for row in rows
    ]  # fmt: skip
    yield Grid(title, ["parameter", "index", "estimate", "interval", "± of noise"], cells, names=(1,))
    if notes := list(dict.fromkeys(row.note for row in rows if row.note)):
        yield Notes(f"About {metric}", notes)
