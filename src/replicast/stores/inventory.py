"""What a listing of a run's parts says, without opening any of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from .coverage import Part
from .manifests import ManifestFacts, facts_of
from .names import LEDGER, METRICS, METRICS_NAME, SET_ASIDE, TABLE_NAME


@dataclass(frozen=True, slots=True, order=True)
class ListedFile:
    """A file of a part; `table` is its encoded name, `first` and `last` the replications it says to hold."""

    scenario: str
    first: int
    last: int
    schema: str
    path: str
    length: int
    table: str
    token: str


@dataclass(slots=True)
class Inventory:
    """Committed parts by scenario. `incomplete` are those of which a file is gone, or not as long as it was."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    incomplete: list[tuple[str, Part]] = field(default_factory=list)
    files: dict[tuple[str, str], list[ListedFile]] = field(default_factory=dict)

    @classmethod
    def of(cls, listing: Iterable[tuple[str, int]], *, complete: bool = True) -> Inventory:
        """From (path, length) of everything below `parts`, or, not `complete`, of some scenario's commits alone."""
        found, facts, aside = cls(), list[tuple[ManifestFacts, int]](), set[str]()
        for path, length in listing:
            if path.endswith(".parquet"):
                found._take_file(path, length)
            elif path.endswith(SET_ASIDE):
                aside.add(path.removesuffix(SET_ASIDE))
            elif (named := facts_of(path)) is not None:
                facts.append((named, length))
        for named, length in facts:
            if named.part.path not in aside:
                found._take_part(named, length, complete=complete)
        for scenario, part in [(s, p) for s, own in found.parts.items() for p in own if p.path in aside]:
            found.parts[scenario].remove(part)
        found.incomplete = [(scenario, part) for scenario, part in found.incomplete if part.path not in aside]
        return found

    def _take_file(self, path: str, length: int) -> None:
        _, table, scenario, name = path.split("/") if path.count("/") == 3 else ("", "", "", "")
        if match := TABLE_NAME.fullmatch(name):
            first, last, token, schema = int(match[1]), int(match[2]), match[3], match[4] or ""
        elif table == METRICS and (match := METRICS_NAME.fullmatch(name)):
            first, last, token, schema = int(match[1]), int(match[2]), match[4], match[5]
            part = Part(first, last, token, int(match[3]), path)
            if length:
                self.parts.setdefault(unquote(scenario), []).append(part)
            else:
                self.incomplete.append((unquote(scenario), part))
        else:
            return
        listed = ListedFile(scenario, first, last, schema, path, length, table, token)
        self.files.setdefault((scenario, token), []).append(listed)

    def _take_part(self, named: ManifestFacts, length: int, *, complete: bool) -> None:
        encoded = named.part.path.split("/")[-2]
        files = self.files.get((encoded, named.part.token), ())
        sound = len(files) == named.files and sum(file.length for file in files) + length == named.bytes
        if sound or not complete:
            self.parts.setdefault(unquote(encoded), []).append(named.part)
        else:
            self.incomplete.append((unquote(encoded), named.part))

    def believe_those_not_in(self, incomplete: Iterable[tuple[str, Part]]) -> None:
        """Takes parts for sound that were not seen to be incomplete before: their files were there first."""
        before = {part.path for _, part in incomplete}
        for scenario, part in self.incomplete:
            if part.path not in before:
                self.parts.setdefault(scenario, []).append(part)
        self.incomplete = [(scenario, part) for scenario, part in self.incomplete if part.path in before]

    def first_files(self) -> dict[str, list[tuple[Part, str]]]:
        """By encoded table, for each schema that it came in, the part and path of the file in which it came first.

        The first over scenarios by name and replications. A part of failures alone has no metrics.
        """
        committed = {(scenario, part.token): part for scenario, own in self.parts.items() for part in own}
        seen: dict[str, dict[str, tuple[Part, str]]] = {METRICS: {}}
        for file in sorted(file for own in self.files.values() for file in own):
            part = committed.get((unquote(file.scenario), file.token))
            if part is None or file.table == LEDGER:
                continue
            if file.table != METRICS or part.failed <= part.last - part.first:
                seen.setdefault(file.table, {}).setdefault(file.schema, (part, file.path))
        return {table: list(seen[table].values()) for table in [METRICS, *sorted(seen.keys() - {METRICS})]}
