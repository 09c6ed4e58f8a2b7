"""What the environment of a worker process says, however the process is made."""

from __future__ import annotations

import os
from collections.abc import Mapping

POOL_VARIABLE, WORKER_VARIABLE = "REPLICAST_POOL", "REPLICAST_WORKER"

FIXED_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1",
    "R_DATATABLE_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1",
}  # fmt: skip
"""One thread a worker, since there is a worker a core; one order of sets, on which a model's numbers may hang;
and one encoding."""

ISOLATED = ("-P",)
"""Python's option that keeps the folder where a user happens to be off `sys.path`: nothing there is the worker's."""


def name_of(token: str, number: int) -> str:
    """What a pool calls its worker of that number: texts of one length, so that one may take another's place."""
    return f"{token}.{number:06d}"


def environment_of(token: str, number: int, extra: Mapping[str, str]) -> dict[str, str]:
    names = {POOL_VARIABLE: token, WORKER_VARIABLE: name_of(token, number)}
    return FIXED_ENVIRONMENT | os.environ | dict(extra) | names
