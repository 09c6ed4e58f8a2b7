"""The run's copy of the model's source: written into the store by who asks, read by whoever simulates."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from replicast.core.errors import RequestError
from replicast.core.ports import Store

FOLDER = "model"


@dataclass(frozen=True, slots=True)
class Source:
    """Files of a model below `folder`, relative to it, with their SHA-256; `left_out` says why of some not taken."""

    folder: Path
    files: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def only(self, names: Container[str]) -> Source:
        return replace(self, files={name: content for name, content in self.files.items() if name in names})

    def copy_to(self, target: Path) -> None:
        for name in self.files:
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.folder / name, path)
        target.mkdir(parents=True, exist_ok=True)

    def save(self, store: Store, run: str) -> None:
        for name in self.files:
            store.write(run, f"{FOLDER}/{name}", (self.folder / name).read_bytes())


def digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RequestError(f"'{path}' lies beside the model and cannot be read: {error.strerror or error}") from None


def code_hash(files: Mapping[str, str]) -> str:
    """One hash over names and contents, the same wherever the files lie."""
    text = "\n".join(f"{files[name]}  {name}" for name in sorted(files))
    return hashlib.sha256(text.encode()).hexdigest()


def check_out(store: Store, run: str, target: Path, names: Sequence[str] | None = None) -> None:
    """Writes the run's copy of the source below `target`."""
    target.mkdir(parents=True, exist_ok=True)
    listed = [f"{FOLDER}/{n}" for n in names] if names is not None else store.documents(run, FOLDER)
    for name in listed:
        content = store.read(run, name)
        if content is None:
            raise RequestError(f"'{name}' of run {run} is gone from the store")
        path = target / name.removeprefix(f"{FOLDER}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
