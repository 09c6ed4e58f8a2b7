"""A bench for R models under test: writes a source, starts it, simulates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from arro3.core import Table

from replicast.core.experiment import Collation, Experiment, ModelReference, StreamKind, Streams
from replicast.core.replication import Outcome
from replicast.core.scenarios import Scenario
from replicast.models.r import RModel
from replicast.models.r_simulate import RSimulate

SEED = 42


def ignore(_replication: int) -> None:
    """No one asks who is to blame."""


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.scratch = folder / "model", folder / "scratch"
        self.folder.mkdir()
        self.scratch.mkdir()

    def write(self, source: str, file: str = "model.R") -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source), encoding="utf-8")

    def model(
        self,
        source: str | None = None,
        *,
        kind: StreamKind = "parallel",
        common: bool = True,
        keep: bool = False,
        seed: int = SEED,
        timeout_seconds: float | None = None,
        function: str = "simulate",
        collation: Collation | None = None,
    ) -> RModel:
        if source is not None:
            self.write(source)
        experiment = Experiment(
            ModelReference("r", "model.R", function),
            (Scenario("base", {}),),
            seed,
            Streams(kind, common),
            keep,
            collation,
        )
        return RModel(self.folder, experiment, timeout_seconds=timeout_seconds, scratch=self.scratch)

    def run(
        self, source: str, last: int = 1, parameters: dict[str, Any] | None = None, **options: Any
    ) -> list[Outcome]:
        """Outcomes of the replications 1 to `last`, asked for at once."""
        with self.model(source, **options).start() as simulate:
            return perform(simulate, 1, last, parameters)

    def one(self, source: str, parameters: dict[str, Any] | None = None, **options: Any) -> Outcome:
        return self.run(source, 1, parameters, **options)[0]

    @contextmanager
    def started(self, source: str, **options: Any) -> Iterator[RSimulate]:
        with self.model(source, **options).start() as simulate:
            yield simulate


def perform(
    simulate: RSimulate, first: int, last: int, parameters: dict[str, Any] | None = None, index: int = 0
) -> list[Outcome]:
    return list(simulate(Scenario("base", parameters or {}, index), first, last, ignore))


def columns(table: Table) -> dict[str, list[Any]]:
    return {name: table.column(name).to_pylist() for name in table.column_names}


def types(table: Table) -> dict[str, str]:
    return {field.name: str(field.type).strip().removeprefix("arro3.core.DataType<")[:-1] for field in table.schema}
