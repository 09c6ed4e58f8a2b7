"""What a loaded Python model is made of beside its copy: packages in their versions, and code from elsewhere.

Modules that functions import when they are called are found by reading the files: nothing is run for it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from .python_imports import Imports, is_installed

IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+\(?([\w, \t]+)|import[ \t]+([\w., \t]+))", re.MULTILINE
)
MOST_FILES = 2000
OURS_TOO = frozenset({"numpy"})
NO_CODE = (".pyc", "~")


class Surroundings:
    """Finds them for a model that is loaded. `before` are the modules that were there before it was."""

    def __init__(self, imports: Imports, before: frozenset[str]) -> None:
        self.imports, self.before = imports, before - OURS_TOO
        self.packages: dict[str, str] = {}
        self.outside: dict[str, str] = {}
        self._read: set[str] = set()
        self._by_files: set[str] = set()

    def find(self) -> tuple[dict[str, str], dict[str, str]]:
        """Versions of packages, and of code from outside its SHA-256 and place."""
        for name, module in sys.modules.copy().items():
            file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
            if isinstance(file, str):
                self._meet(name, os.path.abspath(file))  # noqa: PTH100 - need not be there
        return dict(sorted(self.packages.items())), dict(sorted(self.outside.items()))

    def _meet(self, name: str, file: str) -> None:
        first = name.partition(".")[0]
        if self.imports.is_in_copy(file):
            self._read_imports(file)
        elif is_installed(file) or first == "__main__":
            if first not in self.before and "-packages" in file:
                self._note_package(first, file, name)
        else:
            self._note_outside(first, file, name)

    def _note_package(self, first: str, file: str, name: str) -> None:
        """A version says which code it is where an index gave it, and not of what came from a folder or by hand."""
        folder = Path(file[: file.index(f"-packages{os.sep}") + len("-packages")])
        what, version = distribution_of(folder, first)
        self.packages[what] = version
        info = _info_of(folder, first)
        if first not in self._by_files and (info is None or _is_from_a_folder(info)):
            self._by_files.add(first)
            self._note_outside(first, file, name)

    def _note_outside(self, first: str, file: str, name: str) -> None:
        root = _root_of(file, name)
        for path in _files_of(root, first, file):
            key = path.relative_to(root).as_posix() if root in path.parents else path.name
            if key not in self.outside:
                self.outside[key] = f"{_digest(path)}  {path}"
        self._read_imports(file)

    def _read_imports(self, file: str) -> None:
        if file in self._read or not file.endswith(".py"):
            return
        self._read.add(file)
        try:
            text = Path(file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        for name in imports_in(text):
            if name.startswith("."):
                self._read_beside(name, file)
            else:
                self._follow(name)

    def _read_beside(self, name: str, file: str) -> None:
        """A module of the same package, by its relative name."""
        inner = name.lstrip(".")
        folder = Path(file).parents[len(name) - len(inner) - 1].joinpath(*inner.split("."))
        for path in (folder.with_suffix(".py"), folder / "__init__.py"):
            if path.is_file():
                self._read_imports(str(path))

    def _follow(self, name: str) -> None:
        """A module that a file names, where it is not loaded: found, and never run."""
        first = name.partition(".")[0]
        if name in sys.modules:
            known = vars(sys.modules[name]).get("__file__")
            if known and first in self.before and first not in sys.stdlib_module_names:
                self.before -= {first}
                self._meet(name, os.path.abspath(known))  # noqa: PTH100
            return
        place = self._place_of(first) if first not in sys.modules else _beside(sys.modules[first], name)
        inner = name.partition(".")[2].replace(".", os.sep)
        for path in (place, *([f"{Path(place).parent / inner}.py"] if place and inner else [])):
            if path and Path(path).is_file():
                self._meet(name, path)

    def _place_of(self, first: str) -> str:
        try:
            found = importlib.util.find_spec(first)
        except (ImportError, ValueError, AttributeError):
            return ""
        return found.origin if found is not None and found.has_location and found.origin else ""


def imports_in(text: str) -> Iterator[str]:
    """Names of modules, and of what may be one: `from a import b` gives a and a.b."""
    for whole, names, plain in IMPORT.findall(text):
        if whole:
            yield whole
            joint = "" if whole.endswith(".") else "."
            yield from (f"{whole}{joint}{name.split()[0]}" for name in names.split(",") if name.strip())
        for name in plain.split(","):
            if name.strip():
                yield name.split()[0]


def _beside(package: ModuleType, name: str) -> str:
    """The file of a module inside a package that is loaded, where it has one."""
    for folder in list(vars(package).get("__path__") or ()):
        path = Path(folder, *name.split(".")[1:])
        for form in (path.with_suffix(".py"), path / "__init__.py"):
            if form.is_file():
                return str(form)
    return ""


def _root_of(file: str, name: str) -> Path:
    """The folder from which a module of that name is imported."""
    path = Path(file)
    depth = name.count(".") + (path.stem == "__init__")
    return path.parents[depth] if depth < len(path.parents) else path.parent


def _files_of(root: Path, first: str, file: str) -> Iterator[Path]:
    """The whole package that a file from outside belongs to, data too; or its archive; or the file alone."""
    archive = next((parent for parent in Path(file).parents if parent.is_file()), None)
    package = root / first
    if archive is not None:
        yield archive
    elif not package.is_dir() or package not in Path(file).parents:
        yield Path(file)
    else:
        taken = 0
        for path in sorted(package.rglob("*")):
            hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(root).parts)
            if not hidden and path.is_file() and not path.name.endswith(NO_CODE):
                taken += 1
                yield path
            if taken > MOST_FILES:
                return


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


@cache
def distribution_of(folder: Path, module: str) -> tuple[str, str]:
    """Name and version of the installed distribution that a top-level module belongs to, by what pip wrote there."""
    path = _info_of(folder, module)
    if path is not None:
        name, _, rest = path.stem.partition("-")
        return name.replace("_", "-"), re.sub(r"-py\d.*$", "", rest) or "unknown"
    version = getattr(sys.modules.get(module), "__version__", None)
    return module, str(version or "unknown")


@cache
def _info_of(folder: Path, module: str) -> Path | None:
    """What an installer wrote of the distribution that a module belongs to."""
    wanted = _plain(module)
    found = [path for path in folder.iterdir() if path.suffix in (".dist-info", ".egg-info")]
    named = [path for path in found if _plain(path.stem.partition("-")[0]) == wanted]
    return next(iter(named or [path for path in found if module in _modules_of(path)]), None)


def _is_from_a_folder(info: Path) -> bool:
    """PEP 610: `dir_info` stands in direct_url.json where a local folder was installed."""
    try:
        return "dir_info" in json.loads((info / "direct_url.json").read_bytes())
    except (OSError, ValueError):
        return False


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _modules_of(path: Path) -> frozenset[str]:
    if path.is_file():
        return frozenset()
    try:
        if (path / "top_level.txt").is_file():
            return frozenset((path / "top_level.txt").read_text(encoding="utf-8").split())
        lines = (path / "RECORD").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(re.split(r"[/,.]", line, maxsplit=1)[0] for line in lines)
