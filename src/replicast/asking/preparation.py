"""From a request to a run: its source copied, its parameters checked, its record written, its work done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from replicast.asking.commit import commit_of
from replicast.asking.located import Located
from replicast.asking.locating import locate
from replicast.asking.missing import remedy
from replicast.asking.request import (
    Request,
    continue_record,
    draft,
    existing_record,
    new_record,
    options_of,
    replications_of,
    settle,
)
from replicast.asking.roots import choice_of
from replicast.asking.settings import default_store, inside_worker
from replicast.asking.source import find_source
from replicast.conducting.mending import set_aside_damage
from replicast.conducting.presence import refuse_company
from replicast.core.errors import ModelError, RequestError
from replicast.core.parameters import Signature
from replicast.core.ports import Damage, Place, Store
from replicast.core.progress import Conclusion, Watch, ignore_progress
from replicast.core.record import NAME, Options, RunRecord
from replicast.executors.pool import Pool
from replicast.machine import NOT_ON_WINDOWS, runs_here
from replicast.performing.copies import Source, stage_callable
from replicast.performing.worker import NOTES, document_of
from replicast.places import AtHand, open_place
from replicast.places.registry import kind_of
from replicast.stores import at_home, open_named_store


def check_working_folder() -> None:
    """Raises RequestError where it is gone, of which every program says otherwise that some file is not there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise RequestError(
            "the folder that this process works in was removed; change to one that is there (cd, in Python os.chdir)"
        ) from None


def load_what_ends_a_run() -> None:
    """Imports, while workers get ready, what is needed when they have ended."""
    import replicast.reporting.noted
    import replicast.reporting.summary  # noqa: F401


def local_files_of(url: str) -> list[Path]:
    """What a store keeps on this machine's disk, which is no part of a model that lies beside it."""
    url = at_home(url)
    if url.startswith("sqlite:///"):
        file = url.removeprefix("sqlite:///").partition("?")[0]
        return [Path(file + suffix) for suffix in ("", "-wal", "-shm", "-journal")]
    return [Path(url.removeprefix("file://")).expanduser()] if "://" not in url or url.startswith("file://") else []


class Preparation:
    """A request on its way to a run: `create` writes the run to its store, `conduct` has it carried out."""

    def __init__(
        self,
        request: Request,
        *,
        on: str = "local",
        options: Mapping[str, Any] | None = None,
        store_url: str | None = None,
        without: Sequence[Path] = (),
        at_hand: AtHand | None = None,
        stores: bool = True,
    ) -> None:
        """`on` names the place, and `options` are its own. A pool that is at hand is closed by whoever started it.

        Without `stores`, nothing is to be kept, and it does not matter whether it could be.
        """
        check_working_folder()
        if not runs_here():
            raise RequestError(NOT_ON_WINDOWS)
        if inside_worker():
            raise RequestError(
                "this model starts a run itself while it is being simulated; "
                "put what starts the run under: if __name__ == '__main__':"
            )
        self.request, self.on, self.at_hand = request, on, at_hand or AtHand()
        self.place_options = place_options_of(request, on, options or {})
        self.place: Place = open_place(on, self.place_options, self.at_hand)
        self._given_url = store_url or (request.file.get("store") if request.file else None)
        self._url = self._given_url or default_store()
        self._stores = stores
        self._without = [*without, *local_files_of(self._url)]
        self._stack = ExitStack()
        self._record: RunRecord | None = None
        self.is_new = True
        self.damage: list[Damage] = []

    def __enter__(self) -> Preparation:
        try:
            self.located = locate(self.request)
            self._draft = draft(self.request, self.located)
            self.pool = self.at_hand.pool or self._stack.enter_context(Pool())
            self.at_hand.pool, self.at_hand.function = self.pool, self.located.function
            self.pool.experiment, self.pool.project = self._draft, self.located.folder
            self.pool.limit(self.options.workers or self.pool.workers)
            self.pool.folder = self.pool.scratch / "model"
            self.pool.warm_up(self._useful_workers())
            self.store: Store = self._open_store()
            self.source = self.stage(self.pool.folder)
            self.pool.begin_to_describe()
            self.source = replace(self.source, commit=commit_of(self.source.folder))
            load_what_ends_a_run()
            self.signature = self._described()
            self.experiment = settle(self.request, self._draft, self.signature)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _described(self) -> Signature:
        """What the model says of itself. Raises ModelError, with the way to what was left out of its source."""
        try:
            return self.pool.describe()
        except ModelError as error:
            hint = remedy(f"{error}\n{error.detail}", self.source.folder, self.source.left_out, self.source.files)
            raise ModelError(f"{error}; {hint}" if hint else str(error), error.detail) from None

    def _open_store(self) -> Store:
        """The store asked for, else the place's own, else the usual one."""
        own = self.place.store() if self._given_url is None else None
        if own is not None:
            return own
        store = open_named_store(self._url)
        if "://" not in self._url and self._stores:
            from replicast.stores.objects import can_be_written  # imports obstore, which databases do without

            if not can_be_written(Path(self._url).expanduser()):
                raise RequestError(f"the store '{store.label}' cannot be written; name another folder with --store")
        return store

    def _useful_workers(self) -> int:
        """Processes that are worth starting at once, while this one still gets ready."""
        if not kind_of(self.on).here:
            return 1
        return replications_of(self.request) * len(self._draft.scenarios)

    @cached_property
    def options(self) -> Options:
        return options_of(self.request)

    def stage(self, folder: Path) -> Source:
        """Copies the source to `folder`, where workers run it."""
        located: Located = self.located
        if located.function is not None:
            return stage_callable(located.function, folder)
        source = find_source(located.folder, located.needed, self._without, choice_of(self.request))
        source.copy_to(folder)
        return source

    @property
    def record(self) -> RunRecord:
        assert self._record is not None
        return self._record

    def create(self) -> RunRecord:
        """Writes the run's record and source, or finds the run of that name and goes on with it. Raises RunChanged."""
        old = existing_record(self.store, self.request)
        if old is not None:
            self.is_new = False
            refuse_company(self.store, old.id)
            record = continue_record(
                self.store, self.request, self.options, old, self.experiment, self.source, self.signature
            )
            self._record = replace(record, place=self.place.name, place_options=self.place_options)
            self.place.check(self._record, self.store)
            self.damage = set_aside_damage(self.store, old.id)
            self.source.same_as(old.files).save(self.store, old.id)
            self.store.write(old.id, NAME, self._record.to_json())
            return self._record
        self._record = self.drawn_up()
        self.place.check(self._record, self.store)
        self.source.save(self.store, self._record.id)  # before the record: a run that is there can be resumed
        if not self.store.write(self._record.id, NAME, self._record.to_json(), new=True):
            return self.create()
        for warning in self.signature.warnings:
            content = warning.encode()
            self.store.write(self._record.id, document_of(NOTES, content), content, new=True)
        return self._record

    def drawn_up(self) -> RunRecord:
        """The record of a new run, which is written nowhere yet."""
        record = new_record(self.request, self.options, self.experiment, self.source, self.signature)
        return replace(record, place=self.place.name, place_options=self.place_options)

    def conduct(self, watch: Watch = ignore_progress) -> Conclusion:
        return self.place.conduct(self.record, self.store, watch)


def place_options_of(request: Request, place: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A place's own options: what was given, and else what the experiment file says under [places.NAME]."""
    from_file = (request.file.get("places", {}) if request.file else {}).get(place.partition("://")[0], {})
    return {**from_file, **given}
