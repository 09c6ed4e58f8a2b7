"""What to do about a module that a model misses: it may stand in the project, and not in the copy of it."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

from .python_imports import is_installed

MOST_FOLDERS = 2000
FOLDERS_ABOVE = 3
NO_PLACE_FOR_CODE = {"__pycache__", "node_modules", ".git", "site-packages"}


def what_to_do(name: str, copy: Path, project: Path | None) -> str:
    """A clause for a message; what is the project's own is never to be had from a package index."""
    first = name.partition(".")[0]
    for folder in dict.fromkeys((copy, project)):
        place = find_module(folder, first) if folder is not None else None
        if place is None or folder is None:
            continue
        if folder == copy or (copy / place).exists():
            return (
                f"; it stands in the project as '{place}', in no folder where Python looks: put its folder on sys.path"
            )
        return (
            f"; it stands in the project as '{place}', but was left out of the run's copy: it is hidden, a cache or "
            f'ignored by version control. Take it in with this in experiment.toml: [source] include = ["{place}"]'
        )
    above = find_above(project, first) if project is not None else None
    if above is not None:
        return f"; it stands in '{above}', outside the project that is copied: say --project '{above.parent}'"
    return f"; install it with: python -m pip install {name}"


NO_MODULE = re.compile(r"(No module named '([^'.]+)[^']*').*")


def had_from_elsewhere(message: str, outside: Mapping[str, str]) -> str:
    """A message with where a run found the module that is missing, if that was outside of the project.

    `outside` is that of the run's record: digests and places by the names of files.
    """
    missing = NO_MODULE.search(message)
    found = (known.partition("  ")[2] for name, known in outside.items()
             if missing and name.partition("/")[0].removesuffix(".py") == missing[2])  # fmt: skip
    place = next(found, None)
    if missing is None or place is None:
        return message
    was = (
        f"{missing[1]}; the run imported it from '{place}', outside of what was copied: have it there, "
        "and its folder on PYTHONPATH, as when the run was made"
    )
    return message.replace(missing[0], was)


NO_PARENT = "with no known parent package"
COMMAND_LINE = ("argparse.py", "optparse.py", "click/core.py", "typer/main.py", "absl/app.py", "fire/core.py")


def how_to_name(file: str, project: Path | None) -> str:
    """A clause on a file of a package, loaded by itself: its relative imports need the package around it."""
    parts = [project.name] if project is not None and "/" not in file else []
    module = ".".join([*parts, *file.removesuffix(".py").split("/")])
    where = f"in the folder above '{project.name}', " if parts and project is not None else ""
    return (
        f"; it is a module of a package, whose relative imports (from . import …) need the package: {where}name it "
        f"'{module}' in place of the file, as in: replicast run {module}"
    )


def how_not_to_end(error: SystemExit) -> str:
    """A clause on a model that ends its process while it is imported, as one does that reads its command line."""
    frames = traceback.extract_tb(error.__traceback__)
    reads = any(frame.filename.replace(os.sep, "/").endswith(COMMAND_LINE) for frame in frames)
    why = "it reads its command line while it is imported, and there is none here" if reads else (
        "it ends its process while it is imported"
    )  # fmt: skip
    return (
        f"{why}: put what only the script itself does under: if __name__ == '__main__':, and let what it read there be "
        "arguments of the function, which --param sets"
    )


def find_module(folder: Path, name: str) -> str | None:
    """Where below `folder` a module of that name stands, relative to it; installed packages are not looked through."""
    wanted = {name, f"{name}.py"}
    for place in folders_below(folder):
        for entry in sorted(wanted):
            path = place / entry
            if not path.exists():
                continue
            if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py"))):
                return path.relative_to(folder).as_posix()
    return None


def folders_below(folder: Path) -> Iterator[Path]:
    """Breadth first, no more than MOST_FOLDERS."""
    waiting = [folder]
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return
        place = waiting.pop(0)
        try:
            inner = sorted(entry.path for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False))
        except OSError:
            continue
        yield place
        waiting += [Path(p) for p in inner if os.path.basename(p) not in NO_PLACE_FOR_CODE and not is_installed(p)]  # noqa: PTH119


def find_above(folder: Path, name: str) -> Path | None:
    for parent in list(folder.resolve().parents)[:FOLDERS_ABOVE]:
        for path in (parent / f"{name}.py", parent / name / "__init__.py"):
            if path.is_file() and not is_installed(str(path)):
                return path if path.name != "__init__.py" else path.parent
    return None
