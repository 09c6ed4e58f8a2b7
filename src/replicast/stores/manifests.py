"""What commits a part: a manifest that names its files, with the length and the SHA-256 of each.

    parts/manifests/<scenario>/<first>-<last>.<failed>.<files>.<bytes>.<token>.<digest>.json

The name says what planning asks, and enough to see from a listing alone that a file is gone or was cut; `digest` is of
the manifest itself, so that nothing in it can change unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from .coverage import Part
from .names import MANIFEST_NAME, MANIFESTS, encode_name

CHANGED = "is not what was stored (its SHA-256 differs)"


class KeptFile(msgspec.Struct, frozen=True):
    """A file of a part, by its name in the run. `key` is where it lies, if its name was taken.

    Without `sha256` nothing is known of its content.
    """

    name: str
    length: int
    sha256: str
    key: str = ""

    @classmethod
    def of(cls, name: str, content: bytes, key: str = "") -> KeptFile:
        return cls(name, len(content), hashlib.sha256(content).hexdigest(), key)

    @property
    def place(self) -> str:
        return self.key or self.name

    def wrong_with(self, content: bytes | None) -> str:
        """Why the content is not what was stored; empty where it is."""
        if content is None:
            return "is gone"
        if not self.sha256:
            return ""
        if len(content) != self.length:
            return f"has {len(content)} bytes of {self.length}"
        return "" if hashlib.sha256(content).hexdigest() == self.sha256 else CHANGED


class Manifest(msgspec.Struct, frozen=True):
    """`failed` are the failed replications, none of them named where all failed."""

    scenario: str
    first: int
    last: int
    token: str
    failed: Sequence[int]
    files: Sequence[KeptFile]

    def files_of(self, encoded_table: str) -> list[KeptFile]:
        return sorted((f for f in self.files if f.name.startswith(f"parts/{encoded_table}/")), key=lambda f: f.name)

    def artefacts(self) -> list[KeptFile]:
        return [file for file in self.files if file.name.startswith("artefacts/")]

    def written(self, failed: int) -> tuple[str, bytes]:
        """(name, content) of the manifest as it is stored."""
        content = msgspec.json.encode(self)
        listed = [file.length for file in self.files if file.name.startswith("parts/")]
        facts = f"{failed}.{len(listed)}.{sum(listed) + len(content)}.{self.token}.{digest_of(content)}"
        folder = f"parts/{MANIFESTS}/{encode_name(self.scenario)}"
        return f"{folder}/{self.first:09d}-{self.last:09d}.{facts}.json", content


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """What a manifest's name says beside the part: how many files it commits, and how long they are with itself."""

    part: Part
    files: int
    bytes: int


def digest_of(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()[:32]


def facts_of(path: str) -> ManifestFacts | None:
    """None for a path that is no manifest's."""
    match = MANIFEST_NAME.fullmatch(path.rpartition("/")[2])
    if match is None:
        return None
    first, last, failed, files, length = (int(text) for text in match.groups()[:5])
    return ManifestFacts(Part(first, last, match[6], failed, path), files, length)


def read_manifest(path: str, content: bytes | None) -> Manifest | str:
    """The manifest, or why it cannot be believed."""
    if content is None:
        return "is gone"
    name = MANIFEST_NAME.fullmatch(path.rpartition("/")[2])
    if name is None or digest_of(content) != name[7]:
        return CHANGED
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        return f"is no manifest: {error}"
    said = f"{manifest.first:09d}-{manifest.last:09d}", manifest.token, encode_name(manifest.scenario)
    stands = path.rpartition("/")[2].partition(".")[0], name[6], path.split("/")[-2]
    return manifest if said == stands else f"is that of another part ({said[0]} of scenario '{manifest.scenario}')"
