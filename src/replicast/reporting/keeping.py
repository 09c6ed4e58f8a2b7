"""What is done with a run as a whole: asked in SQL, tagged, noted, copied; the methods of `Run` that keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicast.models import language_or_any
from replicast.stores.labels import Labels, change_tags, labels_of, set_note

if TYPE_CHECKING:
    from replicast.core.ports import Store
    from replicast.core.record import RunRecord
    from replicast.reporting.rows import Rows
    from replicast.stores.copying import CopyReport


class Keeping:
    """Nothing here changes a number."""

    store: Store

    @property
    def record(self) -> RunRecord:
        raise NotImplementedError

    def sql(self, query: str) -> Rows:
        """The answer of a `query` in SQL of the run's `metrics`, `replications`, `scenarios`, `summary` and tables."""
        from .query import query as answer
        from .rows import Rows

        return Rows(answer(self.store, self.record.id, query))

    @property
    def labels(self) -> Labels:
        """The run's tags and its note."""
        return labels_of(self.store, self.record.id)

    def tag(self, *tags: str, remove: bool = False) -> Labels:
        """Gives the run `tags`, words to find it by, or takes them away to `remove` them."""
        return change_tags(self.store, self.record.id, tags, remove=remove)

    def note(self, text: str) -> Labels:
        """Keeps a sentence about the run, in the place of an earlier one; an empty `text` takes it away."""
        return set_note(self.store, self.record.id, text)

    def copy_to(self, store: str) -> CopyReport:
        """Copies the run to another `store`, a URL, and verifies the copy by its content."""
        from replicast.stores import open_named_store
        from replicast.stores.copying import copy_run

        return copy_run(self.store, open_named_store(store), self.record.id)

    def environment(self) -> list[str]:
        """Lines that build the model's environment again: a requirements.txt, or for a model in R lines of R."""
        record = self.record
        return language_or_any(record.experiment.model).environment(record.versions)
