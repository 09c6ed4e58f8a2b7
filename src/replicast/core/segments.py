"""Of what a run is made, beside its experiment; and what of it is different now.

A segment is a stretch of a run whose replications were simulated by one version of the model: its source, code that it
imported from elsewhere, its packages. A run has one, and one more for each change that somebody accepted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .record import RunRecord, Segment

NOT_OF_THE_MODEL = {"replicast"}
OURS = ("replicast", "python")
"""What a record notes of the process that wrote it, beside what its model is made of."""
IN_WORDS = {2: "two", 3: "three", 4: "four", 5: "five"}


def digests_of(experiment: Mapping[str, Any]) -> dict[str, str]:
    """A short digest of each part of an experiment, so that an edit of a record is noticed and named."""
    texts = {name: json.dumps(part, sort_keys=True) for name, part in experiment.items()}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}


def edits_of(record: RunRecord) -> list[str]:
    """Parts of a record that are not those with which it was written."""
    now = digests_of(record.experiment.to_dict())
    parts = [f"{part} of the experiment" for part, was in record.digests.items() if now.get(part) != was]
    return [f"{part} in run.json: was edited" for part in [*parts, *record.edited]]


def source_changes(was: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Files of the run's own copy that are not what they were."""
    found = [f"{name} in the run's copy: was changed" for name, content in was.items() if now.get(name) != content]
    return found + [f"{name} in the run's copy: was added" for name in now if name not in was]


def surroundings_changes(record: RunRecord, versions: Mapping[str, str], outside: Mapping[str, str]) -> list[str]:
    """What a model that was loaded again meets otherwise: packages, and code from outside its copy."""
    found = []
    names = [name for name in record.versions if name not in NOT_OF_THE_MODEL]
    names = [name for name in names if name in versions or name not in OURS]  # not every model runs in our Python
    if record.segments:  # an older record does not have all packages
        names += [name for name in versions if name not in NOT_OF_THE_MODEL and name not in record.versions]
    for name in names:
        was, now = record.versions.get(name), versions.get(name)
        if was != now:
            found.append(f"package {name}: was {was or 'not there'}, is {now or 'gone'}")
    for name in dict.fromkeys([*record.outside, *outside]) if record.segments else ():
        then, again = record.outside.get(name, ""), outside.get(name, "")
        if then.partition(" ")[0] != again.partition(" ")[0]:
            what = "is new" if not then else "is gone" if not again else "was changed"
            found.append(f"{name}, imported from outside the project ({(again or then).partition('  ')[2]}): {what}")
    return found


def what_is_new(record: RunRecord, files: Mapping[str, str], versions: Mapping[str, str], outside: Any) -> list[str]:
    """All that is different from what a run is made of, as files of its copy, packages and code from outside."""
    return [*edits_of(record), *source_changes(record.files, files), *surroundings_changes(record, versions, outside)]


def with_segment(record: RunRecord, segment: Segment, files: Mapping[str, str]) -> RunRecord:
    """The record once its changes are accepted: what is there now is what it is made of."""
    first = record.segments or (Segment(record.created, record.code_hash, record.versions, record.outside),)
    return replace(
        record, files=files, code_hash=segment.code_hash, versions=segment.versions, outside=segment.outside,
        digests=digests_of(record.experiment.to_dict()), segments=(*first, segment), edited=(),
    )  # fmt: skip


def notes_on_record(record: RunRecord) -> Iterator[str]:
    """What is to be said of numbers that more than one version of the model made, or whose record was edited."""
    count = len(record.segments)
    if count > 1:
        later = [f"{segment.since}: {', '.join(segment.changes)}" for segment in record.segments[1:]]
        yield f"from {IN_WORDS.get(count, count)} versions of the model ({'; '.join(later)})"
    if edits := edits_of(record):
        yield f"{'; '.join(edits)}; numbers go by it as it is now, and replications were simulated by what it was"
