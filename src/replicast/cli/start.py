"""`run`, up to the point where worker processes start: they load Python while this process imports the rest."""

from __future__ import annotations

import argparse

from replicast.executors.pool import Pool
from replicast.places.registry import kind_of

from . import early


def run(chosen: argparse.Namespace) -> int:
    workers = chosen.workers if chosen.workers and chosen.workers > 0 else None
    with Pool(workers=workers, zygote=early.take()) as pool:
        if chosen.replications is None or chosen.replications > 0:
            pool.warm_up((chosen.replications or pool.workers) if kind_of(chosen.on).here else 1)
        from .run_commands import run as carry_out

        return carry_out(chosen, pool)
