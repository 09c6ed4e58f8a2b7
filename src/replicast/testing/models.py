"""What every reproducible model must do: the check behind `replicast check`, for one's own tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check_model(model: str, **parameters: Any) -> Mapping[str, Any]:
    """Simulates two replications of a `model` with `parameters` twice and returns the metrics of the first.

    Needs no test framework. Raises AssertionError, naming each problem, where the same seed does not give the same
    result or two replications are equal; ModelError where the model does not load.
    """
    from replicast.asking.preparation import Preparation
    from replicast.asking.request import Request
    from replicast.verifying.checking import check_model as check

    with Preparation(Request(model=model, parameters=parameters)) as preparation:
        report = check(preparation)
    assert not report.problems, "\n".join(report.problems)
    return report.first.metrics()
