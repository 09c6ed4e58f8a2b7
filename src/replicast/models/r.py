"""R models: a function of a file, called in one long-lived R process per worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arro3.core import Table

from replicast.core.errors import ModelError
from replicast.core.experiment import Collation, Experiment
from replicast.core.parameters import Parameter, Signature
from replicast.core.ports import Model

from .r_advice import for_missing_function, for_missing_package, is_app
from .r_columns import read_table
from .r_frames import contents, frame_columns, request_of
from .r_literals import literal
from .r_process import COLLATE, LOAD, REFUSED, Ended, RProcess
from .r_simulate import RSimulate
from .working_folder import WorkingFolder


class RModel:
    """Fulfils `core.ports.Model` for an R function.

    `timeout_seconds` is for one replication. `scratch` is a folder for R's temporary files and, with keep = "rds", for
    results until they are saved. `recycle_bytes` is the resident size past which R is started anew between two
    replications; None means the larger of 1 GiB and four times what it was after loading.
    """

    def __init__(
        self, folder: Path, experiment: Experiment, *, timeout_seconds: float | None = None, scratch: Path
    ) -> None:
        self.folder, self.experiment = folder.resolve(), experiment
        self.timeout_seconds = timeout_seconds
        self.scratch = scratch
        self.recycle_bytes: int | None = None
        self._kept: tuple[RProcess, Signature] | None = None

    @property
    def label(self) -> str:
        return self.experiment.model.label

    def describe(self) -> Signature:
        process, signature = self.load()
        process.close()
        return signature

    def describe_and_keep(self) -> Signature:
        """As `describe`; the R that was started for it is the one that `start` begins with."""
        self._kept = self.load()
        return self._kept[1]

    def hand_over(self, model: Model) -> None:
        """Gives the R that was kept to `model`, if it would ask for the same to be loaded; ends it else."""
        kept, self._kept = self._kept, None
        if kept is None:
            return
        if isinstance(model, RModel) and model._loaded_by() == self._loaded_by():
            model._kept = kept
        else:
            kept[0].close()

    @contextmanager
    def start(self) -> Iterator[RSimulate]:
        experiment, seconds = self.experiment, self.timeout_seconds
        simulate = RSimulate(self.load, experiment, self.scratch, seconds, self.recycle_bytes)
        try:
            simulate.make_ready()
            simulate.files = WorkingFolder(str(self.folder), keeps=experiment.keep_files)
            yield simulate
        finally:
            simulate.close()

    def load(self) -> tuple[RProcess, Signature]:
        """R with the model in it. Raises ModelError, with R's own message, calls and log in `detail`."""
        kept, self._kept = self._kept, None
        if kept is not None:
            if kept[0].process.poll() is None:
                return kept
            kept[0].close()
        self._check_file(self.experiment.model.file)
        self._refuse_app(self.experiment.model.file, self.experiment.model.function)
        process = RProcess(self.scratch)
        try:
            process.ask_source(LOAD, self._loaded_by())
            self._check_answer(process, "cannot be loaded", self.experiment.model.file, self.experiment.model.function)
            signature = read_signature(process)
            process.log_to()  # what is printed while loading belongs to no replication
            return process, signature
        except BaseException:
            process.close()
            raise

    def _loaded_by(self) -> str:
        """The request that loads the model, in R's own notation."""
        collation = self.experiment.collation
        return literal({
            "file": self.experiment.model.file,
            "function": self.experiment.model.function,
            "folder": str(self.folder),
            "collate": collation.function if collation else "collate",
            "seeded": self.experiment.streams.kind != "own",
            "keep_source": not self.experiment.keep_rds,
        })  # fmt: skip

    def collate(self, tables: Mapping[str, Table] | None, objects: Sequence[Path] = ()) -> dict[str, Table]:
        """The tables that the model's `collate` makes, in an R of its own.

        It is given all tables, as a named list of data.frames, or where `tables` is None the list of the kept `.rds`
        objects, in the order of their paths. A lone data.frame is called `collated`. Raises ModelError.
        """
        collation = self.experiment.collation or Collation()
        file = collation.file or self.experiment.model.file
        self._check_file(file)
        columns = {name: frame_columns(name, table) for name, table in (tables or {}).items()}
        rows = {name: table.num_rows for name, table in (tables or {}).items()}
        request: dict[str, Any] = {"file": file, "function": collation.function, "folder": str(self.folder)}
        request |= {"tables": request_of(columns, rows), "objects": None if tables is not None else paths_of(objects)}
        process = RProcess(self.scratch)
        try:
            process.ask_source(COLLATE, literal(request))
            for content in contents(columns):
                process.write(content)
            self._check_answer(process, "failed to collate", file, collation.function)
            return dict(read_table(process) for _ in range(int(process.doubles(1)[0])))
        finally:
            process.close()

    def _check_file(self, file: str) -> None:
        if not (self.folder / file).is_file():
            raise ModelError(f"there is no file '{file}'")

    def _refuse_app(self, file: str, function: str) -> None:
        text = (self.folder / file).read_text(encoding="utf-8", errors="replace")
        if is_app(text) and function not in text:
            raise ModelError(for_missing_function(file, function, text, ()))

    def _check_answer(self, process: RProcess, what: str, file: str, function: str) -> None:
        """Waits for what R says to a request; raises ModelError where it refuses or ends."""
        try:
            if process.doubles(1)[0] != REFUSED:
                return
        except Ended:
            reason = process.end()[1].replace("this replication", "it")
            raise ModelError(f"{file} {what}: {reason}", process.log_to()) from None
        _, kind, message, traceback, package = process.texts()
        detail = "\n".join(part for part in (process.log_to().rstrip(), message, traceback) if part)
        if package:
            raise ModelError(for_missing_package(file, package, self.folder), detail)
        if kind == "NoFunction":
            text = (self.folder / file).read_text(encoding="utf-8", errors="replace")
            raise ModelError(for_missing_function(file, function, text, message.split("\n") if message else []))
        raise ModelError(f"{file} {what}: {message}", detail)


def paths_of(objects: Sequence[Path]) -> dict[str, Any]:
    return {str(place): str(path.resolve()) for place, path in enumerate(objects)}


def read_signature(process: RProcess) -> Signature:
    takes_any, has_collate = process.doubles(2)
    uses, collate_argument = process.texts(), process.texts()
    versions = dict(zip(process.texts(), process.texts(), strict=True))
    columns = read_table(process)[1]
    described = (column.to_pylist() for column in columns.columns)
    rows = [dict(zip(columns.column_names, row, strict=True)) for row in zip(*described, strict=True)]
    return Signature(
        parameters=tuple(
            Parameter(row["name"], row["required"], row["type"], row.get(row["type"]), numeric=row["numeric"])
            for row in rows
        ),
        takes_any=bool(takes_any),
        uses=tuple(uses),
        has_collate=bool(has_collate),
        collate_argument="".join(collate_argument),
        versions=versions,
    )
