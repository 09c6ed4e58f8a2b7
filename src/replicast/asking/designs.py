"""Where designs come from: a CSV file, or points that scipy spreads over ranges."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replicast.asking.sheets import sheet_as_csv
from replicast.core.designs import Points, points_of_csv, points_of_rows, spread
from replicast.core.errors import RequestError, nearest
from replicast.core.ranges import Range, check_ranges

SOURCES = ("csv", "latin_hypercube", "sobol", "saltelli", "morris")
SENSITIVITY = ("saltelli", "morris")
KEYS = (*SOURCES, "ranges", "seed")
MOST_POINTS = 100_000
LEVELS = 4
"""Of a Morris design, as usual: a step is two thirds of a range."""


def find_points(design: Any, folder: Path) -> Points:
    """The scenarios of a design. Raises RequestError for one that cannot be had.

    `design` is a CSV file's path, a pandas or polars DataFrame, a table as in experiment.toml (`{"sobol": 64,
    "ranges": {"beds": [5, 20]}}`), or a
    sequence of parameter sets. Relative paths count from `folder`.
    """
    if isinstance(design, (str, Path)):
        return read_points(folder / design)
    if isinstance(design, Mapping):
        return _points_of_table(design, folder)
    if hasattr(design, "columns") and (rows := rows_of_frame(design)) is not None:
        return points_of_rows(rows, "the design")
    if isinstance(design, Sequence) and all(isinstance(row, Mapping) for row in design):
        return points_of_rows(design, "the design")
    what = type(design).__name__
    raise RequestError(f"a design is a CSV file, a data frame, a table or a list of parameter sets, not a {what}")


def rows_of_frame(frame: Any) -> list[dict[str, Any]] | None:
    """Of a pandas or polars DataFrame, in Python's own numbers and texts; missing values are left out."""
    if hasattr(frame, "iter_rows"):
        rows = list(frame.iter_rows(named=True))
    elif hasattr(frame, "to_dict"):
        rows = frame.to_dict("records")
    else:
        return None
    plain = [{str(k): v.item() if hasattr(v, "item") else v for k, v in row.items()} for row in rows]
    return [{k: v for k, v in row.items() if v is not None and v == v} for row in plain]


def read_points(path: Path) -> Points:
    """Of a CSV file or, by its suffix, of the first sheet of a spreadsheet."""
    if path.suffix.lower() == ".xlsx":
        return points_of_csv(sheet_as_csv(path), path.name)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RequestError(f"there is no file '{path}' to read a design from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"'{path}' cannot be read: {error}") from None
    return points_of_csv(text, path.name)


def _points_of_table(design: Mapping[str, Any], folder: Path) -> Points:
    for key in design:
        if key not in KEYS:
            raise RequestError(f"a design has no key '{key}'{nearest(key, KEYS)}")
    chosen = [key for key in SOURCES if key in design]
    if len(chosen) != 1:
        raise RequestError(f"[design] takes one of {', '.join(SOURCES)}; it has {' and '.join(chosen) or 'none'}")
    if chosen == ["csv"]:
        if "ranges" in design or "seed" in design:
            raise RequestError("a design read from a CSV file has neither ranges nor a seed")
        return read_points(folder / design["csv"])
    return sample_points(chosen[0], design[chosen[0]], design.get("ranges", {}), design.get("seed", 0))


def sample_points(kind: str, n: int, ranges: Mapping[str, Any], seed: int = 0) -> Points:
    """`n` points of a Latin hypercube or of a scrambled Sobol' sequence; the same for the same seed.

    A Sobol' design takes a power of two, for which its points are balanced; the first half of a longer one is the
    shorter one, so that it can be extended. A Latin hypercube cannot.
    """
    bounds = check_ranges(ranges)
    if not 1 <= n <= MOST_POINTS:
        raise RequestError(f"a design has 1 to {MOST_POINTS} points, and {n} is not between them")
    if seed < 0:
        raise RequestError(f"a design's seed is not negative, and {seed} is")
    if kind in ("sobol", "saltelli") and n & (n - 1):
        below = 1 << (n.bit_length() - 1)
        raise RequestError(f"a Sobol' design has a power of two of points ({below} or {2 * below}), and {n} is none")
    if kind in SENSITIVITY:
        return spread(_sensitivity_sample(kind, n, len(bounds), seed, bounds), bounds)
    return spread(_sample(kind, n, len(bounds), seed), bounds)


def plan_of(design: Any) -> dict[str, Any]:
    """What `replicast sensitivity` has to know of a design for it: `kind`, `n`, `parameters`; nothing of others."""
    chosen = [kind for kind in SENSITIVITY if isinstance(design, Mapping) and kind in design]
    if not chosen:
        return {}
    return {"kind": chosen[0], "n": design[chosen[0]], "parameters": list(design.get("ranges", {}))}


def _sensitivity_sample(
    kind: str, n: int, dimensions: int, seed: int, bounds: Mapping[str, Range]
) -> list[list[float]]:
    """By SALib: `n` times a point and its neighbours, dimensions + 2 (saltelli) or + 1 (morris, a trajectory)."""
    rows = n * (dimensions + (2 if kind == "saltelli" else 1))
    if rows > MOST_POINTS:
        raise RequestError(
            f"{kind} = {n} over {dimensions} ranges is {rows:,} scenarios, and at most {MOST_POINTS:,} go"
        )
    unbounded = [name for name, own in bounds.items() if not own.bounded]
    if kind == "morris" and unbounded:
        raise RequestError(
            f"a Morris design goes to the ends of its ranges, and that of '{unbounded[0]}' has none: "
            "give it a range or truncated_normal = [LOWEST, HIGHEST, MEAN, SD]"
        )
    try:
        from SALib.sample import morris, sobol
    except ImportError:
        raise RequestError("a design for sensitivity needs SALib: python -m pip install 'replicast[design]'") from None
    problem = {"num_vars": dimensions, "names": list(bounds), "bounds": [[0.0, 1.0]] * dimensions}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SALib and scipy about each other
        if kind == "saltelli":
            unit = sobol.sample(problem, n, calc_second_order=False, seed=seed)
        else:
            unit = morris.sample(problem, n, num_levels=LEVELS, seed=seed)
    points: list[list[float]] = unit.tolist()
    return points


def _sample(kind: str, n: int, dimensions: int, seed: int) -> list[list[float]]:
    try:
        import numpy as np
        from scipy.stats import qmc
    except ImportError:
        raise RequestError(
            "a Latin hypercube or Sobol' design needs scipy: python -m pip install 'replicast[design]'; "
            "or write the points to a CSV file yourself"
        ) from None
    sampler = qmc.Sobol if kind == "sobol" else qmc.LatinHypercube
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the argument is `rng` since scipy 1.15, and `seed` before
        points: list[list[float]] = sampler(dimensions, seed=np.random.default_rng(seed)).random(n).tolist()
    return points
