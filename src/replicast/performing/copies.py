"""The run's copy of the model's source: written into the store by who asks, read by whoever simulates."""

from __future__ import annotations

import functools
import hashlib
import inspect
import io
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from replicast.core.commands import command as hint
from replicast.core.errors import RequestError, SourceDamaged
from replicast.core.ports import Store, Work
from replicast.core.record import RunRecord
from replicast.machine.inside import inside
from replicast.models import language_of
from replicast.models.python_imports import is_installed

FOLDER = "model"


@dataclass(frozen=True, slots=True)
class Source:
    """Files of a model below `folder`, relative to it, with their SHA-256; `left_out` says why of some not taken.

    `commit` is that of their work tree, as far as it was asked.
    """

    folder: Path
    files: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    commit: str = ""

    def same_as(self, files: Mapping[str, str]) -> Source:
        """Those that are among `files`, and equal."""
        return replace(self, files={name: sha for name, sha in self.files.items() if files.get(name) == sha})

    def copy_to(self, target: Path) -> None:
        for name in self.files:
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.folder / name, path)
        target.mkdir(parents=True, exist_ok=True)

    def save(self, store: Store, run: str) -> None:
        for name in self.files:
            store.write(run, f"{FOLDER}/{name}", (self.folder / name).read_bytes())


def project_of(record: RunRecord) -> Path:
    """The folder that a run's source was copied from, where it is on this machine; else the working directory."""
    project = Path(record.project) if record.project else None
    return project if project is not None and project.is_dir() else Path.cwd()


CALLABLE = "callable.pickle"
"""The file of a function that no file defines, in its folder on this machine; it is stored nowhere else."""


def stage_callable(function: Callable[..., Any], folder: Path) -> Source:
    """Keeps such a function for the worker processes of this machine."""
    try:
        import cloudpickle
    except ImportError:
        raise RequestError(
            "a function that no file defines needs cloudpickle: python -m pip install 'replicast[notebook]'; "
            "or put the function in a file and name it"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    with by_value(cloudpickle):
        (folder / CALLABLE).write_bytes(pickled(function, cloudpickle))
    return Source(folder, {})


UNPICKLABLE = (TypeError, pickle.PicklingError, AttributeError, ValueError, NotImplementedError, RecursionError)


def pickled(function: Callable[..., Any], cloudpickle: Any) -> bytes:
    """The function with all that it refers to. Raises RequestError, which names what cannot travel."""
    try:
        return _pickled(function, cloudpickle)
    except UNPICKLABLE as error:
        named = [f"'{name}'" for name, value in _referred_to(function) if not _travels(value, cloudpickle)]
        what = f"{' and '.join(named)}, which it refers to, cannot be" if named else "it cannot be"
        raise RequestError(
            f"the function cannot be handed to worker processes: {what} copied ({error}). Locks, open files and "
            "connections are made anew in each process: make them inside the function, or put the function in a "
            "file and name it"
        ) from None


def _referred_to(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Names and values that a function takes from around it, and those that an object holds."""
    if inspect.isfunction(function):
        found = inspect.getclosurevars(function)
        yield from {**found.nonlocals, **found.globals}.items()
    yield from getattr(function, "__dict__", {}).items()


def _travels(value: Any, cloudpickle: Any) -> bool:
    try:
        _pickled(value, cloudpickle)
    except UNPICKLABLE:
        return False
    return True


def _pickled(function: Any, cloudpickle: Any) -> bytes:
    """As cloudpickle does, which takes a cached function of the running script for one that workers can import."""

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, functools._lru_cache_wrapper) and value.__module__ == "__main__":
                return cached, (value.__wrapped__, value.cache_parameters())
            return super().reducer_override(value)

    file = io.BytesIO()
    Pickler(file).dump(function)
    return file.getvalue()


def cached(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Callable[..., Any]:
    """The function with a cache of its own."""
    made: Callable[..., Any] = functools.lru_cache(**parameters)(function)
    return made


@contextmanager
def by_value(cloudpickle: Any) -> Iterator[None]:
    """Has modules beside a script or notebook travel inside the function that uses them: workers do not see them."""
    here = [Path.cwd(), Path(getattr(sys.modules["__main__"], "__file__", None) or ".").resolve().parent]
    own = []
    for name, module in sys.modules.copy().items():
        file = getattr(module, "__dict__", {}).get("__file__")
        if name != "__main__" and isinstance(file, str) and not is_installed(file):
            own += [module] if any(folder in Path(file).parents for folder in here) else []
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


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


def check_out_or_stage(work: Work, target: Path, function: Callable[..., Any] | None = None) -> None:
    """Writes the run's copy of the source below `target`; of a function that no file defines, that `function`.

    Raises RequestError, StoreError.
    """
    if not language_of(work.experiment.model).travels:
        if function is None:
            raise RequestError(
                f"run {work.run} is of a function that no file defines, so this process does not have it; "
                "resume it from Python with Run.resume(function=...)"
            )
        stage_callable(function, target)
    else:
        check_out(work.store, work.run, target, work.files)


def damaged_source(store: Store, run: str, files: Mapping[str, str]) -> list[str]:
    """What of the run's copy is not what `files` says was copied, by name and SHA-256."""
    found = []
    for name, sha256 in files.items():
        content = store.read(run, f"{FOLDER}/{name}")
        if content is None:
            found.append(f"'{FOLDER}/{name}' is gone")
        elif hashlib.sha256(content).hexdigest() != sha256:
            found.append(f"'{FOLDER}/{name}' is not what the model was when the run began (its SHA-256 differs)")
    return found


def check_out(store: Store, run: str, target: Path, files: Mapping[str, str] | None = None) -> None:
    """Writes the run's copy of the source below `target`: `files`, by name and SHA-256, and no other; of none, all.

    Raises SourceDamaged for one that is not what it was.
    """
    target.mkdir(parents=True, exist_ok=True)
    listed = [f"{FOLDER}/{name}" for name in files] if files else store.documents(run, FOLDER)
    for name in listed:
        own = name.removeprefix(f"{FOLDER}/")
        content = store.read(run, name)
        wrong = "is gone from" if content is None else ""
        if content is not None and files and hashlib.sha256(content).hexdigest() != files[own]:
            wrong = "is not what it was when the run began (its SHA-256 differs) in"
        if content is None or wrong:
            raise SourceDamaged(
                f"'{name}' of run {run} {wrong} the store '{store.label}', so nothing was simulated from it; "
                f"the ways on: {hint('resume', run, store.label)}"
            )
        path = inside(target, own)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
