"""Where a model's modules come from: the run's copy, what is installed, and nothing of the project it was copied from.

An editable install, `PYTHONPATH` or a model's own `sys.path.insert` may lead into the project, whose files people edit
while a run goes on. Whatever is found there is taken from the copy instead, or is not there.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = str(Path(__file__).resolve().parent.parent)
IMPORTING = "<frozen importlib"


@functools.cache
def installed_folders() -> tuple[str, ...]:
    """Where this interpreter's own modules and its installed packages lie, and replicast; each ends in a separator."""
    known = sysconfig.get_paths()
    folders = {known[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")} | set(site.getsitepackages())
    folders |= {str(Path(os.__file__).parent), *_folder_of("numpy"), OURS}
    if site.ENABLE_USER_SITE:
        folders.add(site.getusersitepackages())
    return tuple(sorted({f"{form}{os.sep}" for folder in folders for form in (folder, os.path.realpath(folder))}))


def _folder_of(package: str) -> Iterator[str]:
    """Where a package lies, without importing it."""
    found = importlib.util.find_spec(package)
    if found is not None and found.origin:
        yield str(Path(found.origin).parent.parent)


@functools.cache
def standard_folders() -> list[str]:
    return [entry for entry in sys.path if entry.startswith(str(Path(os.__file__).parent)) and "-packages" not in entry]


def is_installed(path: str) -> bool:
    """Whether a file, or a folder of `sys.path`, is the interpreter's own or belongs to an installed package."""
    return f"{path}{os.sep}".startswith(installed_folders())


class Imports:
    """A finder before all others. `copy` is the run's copy of the source, `project` the folder that it is a copy of."""

    def __init__(self, copy: Path, project: Path | None) -> None:
        self.copy = os.path.realpath(copy)
        self._copies = (f"{copy}{os.sep}", f"{self.copy}{os.sep}")
        self.project = None if project is None else os.path.realpath(project)
        self._projects = () if project is None else (f"{project}{os.sep}", f"{self.project}{os.sep}")

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> object:
        if path is None and name in sys.stdlib_module_names and not self._is_asked_by_the_model():
            standard = PathFinder.find_spec(name, standard_folders())
            if standard is not None:
                return standard
        found = self._found(name, path, target)
        if found is None or not any(map(self.is_in_project, _places(found))):
            return found
        sys.path[:] = self.path(sys.path)
        again = self._found(name, path, target)
        if again is None or not any(map(self.is_in_project, _places(again))):
            return again
        return self._moved(again)

    def _is_asked_by_the_model(self) -> bool:
        """Whether the import stands in a file of the copy: a `queue.py` there is `queue` to the model's own files."""
        frame = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename.startswith((IMPORTING, __file__)):
            frame = frame.f_back  # type: ignore[assignment]
        return frame is not None and frame.f_code.co_filename.startswith(self._copies)

    def _found(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        finders: list[Any] = list(sys.meta_path)
        for finder in finders:
            if finder is not self and (found := finder.find_spec(name, path, target)) is not None:
                return found  # type: ignore[no-any-return]
        return None

    def is_in_copy(self, path: str) -> bool:
        return path.startswith(self._copies) or os.path.realpath(path).startswith(self._copies)

    def is_in_project(self, path: str) -> bool:
        if not self._projects or is_installed(path):
            return False
        real = os.path.realpath(path)
        if is_installed(real) or f"{real}{os.sep}".startswith(self._copies):
            return False
        return f"{path}{os.sep}".startswith(self._projects) or f"{real}{os.sep}".startswith(self._projects)

    def moved(self, path: str) -> str:
        """The same place in the copy."""
        for project in self._projects:
            for form in (path, os.path.realpath(path)):
                if f"{form}{os.sep}".startswith(project):
                    return os.path.normpath(os.path.join(self.copy, form[len(project) :]))  # noqa: PTH118 - texts
        return path

    def _moved(self, found: ModuleSpec) -> ModuleSpec:
        """A module that no entry of `sys.path` led to, as an editable install's, from the copy."""
        folders = [self.moved(folder) for folder in found.submodule_search_locations or ()]
        folders = [folder for folder in folders if Path(folder).is_dir()]
        if not found.has_location and folders:
            found.submodule_search_locations = folders
            return found
        origin = Path(self.moved(found.origin or ""))
        moved = None
        if found.has_location and origin.is_file():
            moved = importlib.util.spec_from_file_location(
                found.name, origin, submodule_search_locations=folders or None
            )
        if moved is None:
            raise ModuleNotFoundError(f"No module named '{found.name}'", name=found.name)
        return moved

    def path(self, entries: Iterable[str]) -> list[str]:
        """`sys.path` with the copy in the project's place, and first."""
        return list(dict.fromkeys([self.copy, *(self.moved(e) if self.is_in_project(e) else e for e in entries)]))


def _places(found: ModuleSpec) -> Iterator[str]:
    if found.has_location and found.origin:
        yield found.origin
    yield from found.submodule_search_locations or ()


def of_this_process() -> set[str]:
    """Entries of `sys.path` that say where this process happens to be at work, which a worker's does not have."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    unwanted = {"", ".", str(Path.cwd())} | ({str(Path(script).resolve().parent)} if script else set())
    named = {os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}  # noqa: PTH100
    return unwanted - named


@contextmanager
def imports_from(copy: Path, project: Path | None) -> Iterator[Imports]:
    """Has modules looked for in the copy first, and never in the project or where this process is at work."""
    imports, before, unwanted = Imports(copy, project), list(sys.path), of_this_process()
    sys.path[:] = imports.path(entry for entry in sys.path if entry not in unwanted)
    sys.meta_path.insert(0, imports)  # type: ignore[arg-type]
    try:
        yield imports
    finally:
        sys.meta_path.remove(imports)  # type: ignore[arg-type]
        sys.path[:] = before
