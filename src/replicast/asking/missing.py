"""What a model missed, by its own words, and how the run's copy of the project comes to hold it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

MISSED = re.compile(
    r"No such file|cannot open|not found|[Nn]o module named|does not exist|FileNotFound|no file", re.IGNORECASE
)
QUOTED = re.compile(r"'([^'\n]{1,300})'|\"([^\"\n]{1,300})\"|‘([^’\n]{1,300})’")
BARE = re.compile(r"[^\s'\"‘’:;,()]+")
IN_COPY = re.compile(r"^.*/replicast-[^/]+/(?:worker-\d+/)?(?:(?:model[^/]*|another folder)(/|$))?")
USUAL = "it is hidden, a cache or what a run wrote, or [source] exclude names it"


def remedy(text: str, project: str | Path, left_out: Mapping[str, str], copied: Collection[str] = ()) -> str:
    """What to do about a file that a message says is missing and that the project has; else nothing.

    `project` may be on another machine; `left_out` is what is known then. Of what was `copied`, nothing is missing.
    """
    if "stands in " in text:
        return ""
    root = Path(project) if project else None
    missed = "\n".join(line for line in text.splitlines() if MISSED.search(line))
    for name in _names_in(missed):
        if os.path.normpath(name) in copied:
            continue
        if why := _why_left_out(name, left_out):
            return _include(name, why)
        found = _on_disk(name, root) if root is not None and root.is_dir() else None
        if found is None or root is None:
            continue
        if root in found.parents:
            return _include(found.relative_to(root).as_posix(), USUAL)
        return (
            f"'{found}' lies outside the project '{root}', of which the run has a copy; "
            f"say --project '{os.path.commonpath([root, found])}', or set [source] root in experiment.toml"
        )
    return ""


def _include(name: str, why: str) -> str:
    return (
        f"'{name}' is in the project, but was left out of the run's copy: {why}. "
        f'Take it in with this in experiment.toml: [source] include = ["{name}"]'
    )


def _names_in(text: str) -> Iterator[str]:
    """Names in quotes first, then words that could be one; what lies below the copy, as the project has it."""
    quoted = [next(filter(None, groups)) for groups in QUOTED.findall(text)]
    bare = [word.rstrip(".") for word in BARE.findall(QUOTED.sub(" ", text)) if "." in word or "/" in word]
    for name in dict.fromkeys([*quoted, *bare]):
        inside = IN_COPY.match(name)
        if inside is None:
            yield name
        elif inside.group(1) is not None:
            yield name[inside.end() :]
        else:
            yield f"../{name[inside.end() :]}"


def _why_left_out(name: str, left_out: Mapping[str, str]) -> str:
    path = Path(os.path.normpath(name))
    return next((left_out[str(part)] for part in (path, *path.parents) if str(part) in left_out), "")


def _on_disk(name: str, root: Path) -> Path | None:
    if Path(name).is_absolute() or not name.strip():
        return None
    path = Path(os.path.normpath(root / name))
    try:
        return path if path.is_file() else None
    except OSError:
        return None
