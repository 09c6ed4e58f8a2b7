"""The files that replications left, fetched from a run's store to one flat folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replicast.core.errors import RequestError, StoreError
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.machine.inside import inside

MOST_REPLICATIONS = 2**63


@dataclass(frozen=True, slots=True)
class Artefact:
    """A fetched file: `name` is its own, `file` where it lies now."""

    scenario: str
    replication: int
    name: str
    file: Path


def fetch_artefacts(store: Store, record: RunRecord, scenario: str, folder: Path, *, only: str = "") -> list[Artefact]:
    """Writes the files of all successful replications of a scenario (named `only`, if given), in their order by name.

    Each is called by its replication's number and its own name: `000017.result.rds`. No folder is made where there are
    none. Raises StoreError.
    """
    fetched = []
    planned = record.planned.get(scenario, MOST_REPLICATIONS)
    ok = store.coverage(record.id).ok(scenario)
    successful = {i for first, last in ok for i in range(first, min(last, planned) + 1)}
    for place in store.artefacts(record.id, scenario):
        number, name = numbered(place)
        if int(number) in successful and (not only or name == only):
            path = inside(folder, f"{number}.{name.replace('/', '.')}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_content(store, record.id, place))
            fetched.append(Artefact(scenario, int(number), name, path))
    return fetched


def fetch_from_scenarios(
    store: Store, record: RunRecord, folder: Path, *, scenario: str | None = None, only: str = ""
) -> list[Artefact]:
    """As `fetch_artefacts`, for one scenario or all; where there are several, each has a folder of its name.

    Raises RequestError for a folder that holds something already.
    """
    from .formats import file_names

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"'{folder}' is there already and not empty; name another folder")
    scenarios = record.experiment.scenarios if scenario is None else (record.experiment.scenario(scenario),)
    folders = file_names([one.name for one in scenarios])
    return [
        artefact
        for one in scenarios
        for artefact in fetch_artefacts(
            store, record, one.name, folder / folders[one.name] if len(scenarios) > 1 else folder, only=only
        )
    ]


def numbered(place: str) -> tuple[str, str]:
    """The replication's number as its folder says it, and the file's own name. Raises StoreError for another name."""
    _, _, rest = place.partition("/replication=")
    number, _, name = rest.partition("/")
    if not name or not (number.isascii() and number.isdecimal()):
        raise StoreError(f"the store names a kept file '{ascii(place)[1:-1]}', which is no such name: not written")
    return number, name


def _content(store: Store, run: str, name: str) -> bytes:
    content = store.read(run, name)
    if content is None:
        raise StoreError(f"'{name}' of run {run} is gone from the store")
    return content
