"""What of a part is no longer what was stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from replicast.core.ports import Damage

from .coverage import Part
from .manifests import KeptFile, Manifest, read_manifest
from .old_parts import is_old

Read = Callable[[str], bytes | None]
Length = Callable[[str], int | None]


def damage_of(scenario: str, part: Part, read: Read, length: Length | None = None) -> Iterator[Damage]:
    """Each file of the part that is wrong; with `length`, by what a listing says, and none of them is opened."""
    for name, wrong in _wrong(part, read, length):
        yield Damage(scenario, part.first, part.last, f"'{name}' {wrong}", part.path)


def _wrong(part: Part, read: Read, length: Length | None) -> Iterator[tuple[str, str]]:
    if is_old(part):
        if length is not None:
            yield part.path, "has no bytes at all"
        return
    manifest = read_manifest(part.path, read(part.path))
    if isinstance(manifest, str):
        yield part.path, manifest
    elif length is not None:
        yield from _by_length(part, manifest, length)
    else:
        found = ((file.place, file.wrong_with(read(file.place))) for file in manifest.files)
        yield from ((name, wrong) for name, wrong in found if wrong)


def _by_length(part: Part, manifest: Manifest, length: Length) -> Iterator[tuple[str, str]]:
    for file in manifest.files:
        if file.name.startswith("parts/") and (wrong := _length_wrong(file, length(file.name))):
            yield file.name, wrong
    yield part.path, "does not name all the files of its part"


def _length_wrong(file: KeptFile, length: int | None) -> str:
    if length is None:
        return "is gone"
    return "" if length == file.length else f"has {length} bytes of {file.length}"
