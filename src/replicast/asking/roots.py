"""Where the project of a model begins: the folder that a run copies, and in whose copy the model works."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from replicast.core.errors import RequestError
from replicast.models import language_of_file

from .source import Choice

if TYPE_CHECKING:
    from .request import Request


def root_said(request: Request) -> Path | None:
    """What --project says, else `[source] root`. Raises RequestError where that is no folder."""
    said, base = request.project, Path.cwd()
    if said is None and request.file is not None:
        said, base = request.file.get("source", {}).get("root"), request.file.folder
    if said is None:
        return None
    root = (base / said).expanduser().resolve()
    if not root.is_dir():
        raise RequestError(f"the project '{said}' is no folder")
    return root


def choice_of(request: Request) -> Choice:
    own = request.file.get("source", {}) if request.file is not None else {}
    return Choice(tuple(map(str, own.get("include", ()))), tuple(map(str, own.get("exclude", ()))))


def root_of(request: Request, file: Path) -> tuple[Path, Path]:
    """The root of the project of a model in `file`, and the file below it: a link counts as lying where it stands.

    Raises RequestError where what was said to be the root does not hold the model.
    """
    forms = (file.resolve(), file.parent.resolve() / file.name)
    said = root_said(request)
    for form in forms:
        if said is not None and said in form.parents:
            return said, form
    if said is not None:
        raise RequestError(f"the model '{file}' does not lie in the project '{said}'")
    for form in forms:
        if request.file is not None and request.file.folder in form.parents:
            return request.file.folder, form
    return marked_root(forms[0].parent, language_of_file(file).root_marks) or forms[0].parent, forms[0]


def marked_root(folder: Path, marks: Sequence[str]) -> Path | None:
    """The nearest folder upwards that holds one of the marks; never the home directory, nor one above it."""
    home = Path.home().resolve()
    for place in (folder, *folder.parents):
        if place == home or place in home.parents:
            return None
        if any(next(place.glob(mark), None) is not None for mark in marks):
            return place
    return None
