"""The model's own collation and output chunk, called after the standard one with the results of all replications."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from arro3.core import Table

from replicast.core.errors import ModelError, RequestError
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.scenarios import Scenario
from replicast.models import language_of, language_of_file
from replicast.models.command import CommandModel
from replicast.models.registry import Tables
from replicast.models.results import UnusableResult, as_table
from replicast.performing.copies import check_out

from .artefacts import fetch_artefacts
from .collate import Collated
from .formats import ending, file_names
from .rows import Rows
from .tables import RunTables
from .unify import plain, polars_types
from .writers import WRITERS, write_frames

OWN_TABLE = "collated"


@dataclass(frozen=True, slots=True)
class OwnCollation:
    """A model's own collation of one run.

    Functions that take tables or the run see all scenarios at once and write to `folder`. Commands and functions that
    take objects know of one scenario; where there are several, each is collated by itself, to a folder of its name.
    """

    store: Store
    record: RunRecord
    tables: RunTables
    folder: Path
    scratch: Path
    collated: Collated
    file_format: str
    standard: tuple[Path, ...] = ()

    @property
    def source(self) -> Path:
        return self.scratch / "model"

    def perform(self, run: Any) -> None:
        check_out(self.store, self.record.id, self.source, self.record.files)
        collation = self.record.experiment.collation
        file = collation.file if collation is not None else self.record.experiment.model.file
        if collation is not None and collation.command:
            self._each_scenario(self._by_command)
            return
        model = self.record.experiment.model
        reference = replace(model, file=file, function=collation.function if collation else "collate")
        collate_function = (language_of_file(file) if file else language_of(model)).collate
        label = f"{file or model.module}:{reference.function}"
        if collate_function is None:
            raise RequestError(f"{label} is in a language in which replicast calls no function that collates")

        def called(objects: Sequence[Path] | None = None) -> Mapping[str, Table]:
            returned = collate_function(
                self.source, self.record.experiment, reference=reference, scratch=self.scratch, run=run,
                tables=self._everything, objects=objects,
            )  # fmt: skip
            return as_tables(returned, label)

        if self.record.signature.get("collate_argument") == "objects":
            self._each_scenario(partial(self._by_objects, called))
        else:
            self._write(called(), self.folder, "")

    def _everything(self) -> dict[str, Table]:
        """All tables of the run, all replications one after the other."""
        return {name: Table.from_arrow(self.tables.frame(name)) for name in self.tables.names}

    def _each_scenario(self, deed: Callable[[Scenario, Path, str], None]) -> None:
        scenarios = self.record.experiment.scenarios
        names = file_names([scenario.name for scenario in scenarios])
        for scenario in scenarios:
            if len(scenarios) == 1:
                deed(scenario, self.folder, "")
            else:
                deed(scenario, self.folder / names[scenario.name], f"{scenario.name}/")

    def _by_objects(
        self, called: Callable[[Sequence[Path]], Mapping[str, Table]], scenario: Scenario, folder: Path, prefix: str
    ) -> None:
        self._write(called(self._lay_out_artefacts(scenario.name, only="result.rds")), folder, prefix)

    def _by_command(self, scenario: Scenario, folder: Path, prefix: str) -> None:
        self._lay_out_artefacts(scenario.name)
        out = self.scratch / f"out-{scenario.index}"
        out.mkdir()
        model = CommandModel(self.source, self.record.experiment, timeout_seconds=None, scratch=self.scratch)
        model.collate(self._artefact_folder(scenario.name), out, dict(scenario.parameters), scenario.name)
        for path in sorted(out.rglob("*")):
            if path.is_file():
                target = self._free(folder / path.relative_to(out), path.relative_to(out).as_posix())
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                self.collated.files[prefix + target.stem] = target

    def _write(self, tables: Mapping[str, Table], folder: Path, prefix: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        files = file_names(tables)
        for name, table in tables.items():
            path = self._free(folder / f"{files[name]}.{ending(self.file_format)}", name)
            frame = plain(pl.DataFrame(table)) if table.num_columns else pl.DataFrame()
            rows = write_frames([frame], dict(polars_types(table.schema)), path, WRITERS[self.file_format])
            known = prefix + (name if path.stem == files[name] else path.stem)
            self.collated.rows[known], self.collated.files[known] = rows, path

    def _free(self, path: Path, what: str) -> Path:
        """The path, unless a standard table is there: that keeps its name, and a note says what gave way."""
        taken, number, free = set(self.standard), 0, path
        while free in taken:
            number += 1
            free = path.with_stem(f"{path.stem}_{number}")
        if number:
            self.collated.notes.append(
                f"the model's own collation made '{what}', which is written as {free.name}: {path.name} holds the "
                "table of that name of the run itself"
            )
        return free

    def _artefact_folder(self, scenario: str) -> Path:
        return self.scratch / f"artefacts-{self.record.experiment.scenario(scenario).index}"

    def _lay_out_artefacts(self, scenario: str, only: str = "") -> list[Path]:
        """Writes the kept files of all successful replications to one flat folder, ordered by name."""
        folder = self._artefact_folder(scenario)
        folder.mkdir(parents=True, exist_ok=True)
        fetched = fetch_artefacts(self.store, self.record, scenario, folder, only=only)
        return [artefact.file for artefact in fetched]


def as_tables(returned: Any, label: str) -> dict[str, Table]:
    """A table is called `collated`; a mapping gives tables by name; nothing gives none. All columns are kept."""
    if returned is None:
        return {}
    if isinstance(returned, Tables):
        return returned
    if isinstance(returned, Mapping) and all(type(rows) in (list, tuple) and not rows for rows in returned.values()):
        return {str(name): Table.from_arrow(pl.DataFrame()) for name in returned}
    try:
        table = as_table(_frame(returned), OWN_TABLE)
        if table is not None:
            return {OWN_TABLE: table}
        if isinstance(returned, Mapping):
            tables = {str(name): as_table(_frame(value), str(name)) for name, value in returned.items()}
            if all(found is not None for found in tables.values()):
                return {name: found for name, found in tables.items() if found is not None}
    except UnusableResult as error:
        raise ModelError(f"{label}: {error}") from None
    raise ModelError(f"{label} returned a {type(returned).__name__}; it must return a table or a dict of tables")


def _frame(value: Any) -> Any:
    """What `run.metrics()` and its like give is a table as well."""
    return value.pl() if isinstance(value, Rows) else value
