"""One replication of a model as lines of its language, where that has a way to write it."""

from __future__ import annotations

from pathlib import Path

from replicast.core.errors import RequestError
from replicast.core.given import whole_number
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.scenarios import Scenario
from replicast.models import language_or_any
from replicast.performing.copies import check_out
from replicast.reporting.files import write_text


class Snippets:
    """A run's replications as lines of R."""

    store: Store

    @property
    def record(self) -> RunRecord:
        raise NotImplementedError

    def _replication(self, scenario: str | None, replication: int) -> tuple[Scenario, int]:
        chosen = self.record.experiment.scenario(scenario) if scenario else self.record.experiment.scenarios[0]
        number = whole_number(replication, "replay") or 0
        if number < 1:
            raise RequestError(f"replications are numbered from 1, and {number} is not")
        return chosen, number

    def snippet(self, replication: int, scenario: str | None = None, folder: str = "<the model's files>") -> str:
        """The lines (of R) that simulate a `replication` of a `scenario` (the first, if not given).

        The model's files are in `folder`. No lines for models in languages that have none.
        """
        chosen, replication = self._replication(scenario, replication)
        kind = language_or_any(self.record.experiment.model)
        if kind.snippet is None:
            return ""
        texts = source_texts(self.store, self.record, kind.suffixes)
        return kind.snippet(self.record, chosen, replication, folder, texts)

    def write_snippet(self, replication: int, file: Path, source: Path, scenario: str | None = None) -> None:
        """Writes the `snippet` of a `replication` of a `scenario` to `file`, and the model's files to `source`.

        Raises RequestError for a model that is not R's, and where the folder `source` is there already.
        """
        lines = self.snippet(replication, scenario, str(source.absolute()))
        write_snippet(self.store, self.record, lines, file, source)


def source_texts(store: Store, record: RunRecord, suffixes: tuple[str, ...]) -> list[str]:
    """What stands in the files of the run's copy of its source that end so."""
    found = (store.read(record.id, f"model/{name}") for name in record.files if name.lower().endswith(suffixes))
    return [content.decode(errors="replace") for content in found if content]


def write_snippet(store: Store, record: RunRecord, lines: str, file: Path, source: Path) -> None:
    """Writes the lines to `file`, and the model's files to the folder `source`.

    Raises RequestError where there are no lines, and where `source` is there already.
    """
    if source.exists():
        raise RequestError(f"'{source}' is there already; name another file")
    if not lines:
        raise RequestError(f"{record.experiment.model.label} is no R model, so that R has no lines for it")
    check_out(store, record.id, source, record.files)
    write_text(file, lines)
