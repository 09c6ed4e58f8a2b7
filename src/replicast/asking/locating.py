"""Finding the model that a user named, without loading it: a file, a module, a callable or a command."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.asking.given_function import digest_of
from replicast.asking.located import Located
from replicast.asking.roots import root_of, root_said
from replicast.asking.source import check_function
from replicast.core.errors import ModelError, RequestError, nearest
from replicast.core.experiment import Collation, ModelReference, model_reference_from_text
from replicast.models import language_by_suffix, suffixes
from replicast.models.placeholders import COLLATION, Template
from replicast.models.r_advice import for_notebook

if TYPE_CHECKING:
    from .request import Request

DOCUMENTS_WITH_R = (".rmd", ".qmd")


def locate(request: Request) -> Located:
    """Finds the model, without loading it. Raises ModelError and RequestError."""
    base = request.file.folder if request.file else Path.cwd()
    located = _locate_model(request, base)
    return dataclasses.replace(located, **_locate_collation(request, located))


def _locate_model(request: Request, base: Path) -> Located:
    command = list(request.command) or (request.file.get("command") if request.file and not request.model else None)
    if command:
        if request.model:
            raise RequestError("give either a model or a command after '--', not both")
        here = Path.cwd() if request.command and request.file is None else base
        return Located(ModelReference("command", command=tuple(map(str, command))), root_said(request) or here)
    model = request.model
    if model is None and request.file is not None:
        model = request.file.get("model")
    elif isinstance(model, str):
        base = Path.cwd()
    if model is None:
        raise RequestError(
            "which model? Name a file (model.py, model.R), a package.module:function, or an --experiment"
        )
    if callable(model):
        return _locate_callable(model, request)
    if not isinstance(model, str):
        raise RequestError(
            f"model takes a file, a package.module:function or a function, and {model!r} ({type(model).__name__}) is "
            "none of these"
        )
    return _locate_text(model, base, request)


def _in_project(request: Request, path: Path, language: str, function: str) -> Located:
    """A model in a file, named from the root of its project."""
    root, path = root_of(request, path)
    name = path.relative_to(root).as_posix()
    return Located(ModelReference(language, name, function), root, (name,))


def _locate_text(text: str | os.PathLike[str], base: Path, request: Request) -> Located:
    head, function = model_reference_from_text(os.fspath(text))
    suffix = Path(head).suffix.lower()
    path = base / head
    if suffix in suffixes() and not path.is_file():
        neighbours = [p.name for p in path.parent.glob("*") if p.suffix.lower() in suffixes()]
        raise ModelError(f"there is no file '{head}'{nearest(Path(head).name, neighbours)}")
    if suffix in DOCUMENTS_WITH_R and path.is_file():
        raise ModelError(for_notebook(head))
    if suffix and path.is_file() and (language := language_by_suffix(suffix)):
        return _in_project(request, path, language, function)
    if (path.exists() and not (path / "__init__.py").is_file()) or "/" in head:
        what = (
            "is a folder"
            if path.is_dir()
            else "is neither Python (.py) nor R (.R)"
            if path.exists()
            else "is not there"
        )
        hint = "; name the file in it" if path.is_dir() else ""
        hint = "; any other program runs as a command: replicast run -- PROGRAM ARG..." if path.is_file() else hint
        raise ModelError(f"'{head}' {what}{hint}")
    return _locate_module(head, function, root_said(request) or base)


def _locate_module(name: str, function: str, base: Path) -> Located:
    """An importable module: copied if it lies below `base`, else taken from where it is installed."""
    first = name.partition(".")[0]
    here = [base / first / "__init__.py", base / f"{first}.py", base / first]
    if name.replace(".", "").isidentifier() and any(path.exists() for path in here):
        return Located(ModelReference("python", "", function, module=name), base)
    try:
        specification = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        specification = None
    if specification is None:
        raise ModelError(f"there is no file and no importable module '{name}'")
    folder = base if not base.samefile(Path(sys.prefix)) else Path.cwd()
    return Located(ModelReference("python", "", function, module=name), folder)


def _locate_callable(function: Callable[..., Any], request: Request) -> Located:
    """A function of a file travels as that file; anything else (notebook, closure) stays on this machine."""
    module = inspect.getmodule(function)
    name = getattr(function, "__qualname__", "")
    file = getattr(module, "__file__", None)
    if module is not None and module.__name__ != "__main__" and file and name.isidentifier():
        path = Path(file).resolve()
        if getattr(module, name, None) is function and "." not in module.__name__:
            return _in_project(request, path, "python", name)
    label = getattr(function, "__name__", type(function).__name__)
    digest = digest_of(function)
    return Located(ModelReference("callable", "", label, module=digest), Path.cwd(), (), function)


def _locate_collation(request: Request, located: Located) -> dict[str, Any]:
    own = request.file.get("collate") if request.file else None
    if request.collate is not None:
        head, function = model_reference_from_text(request.collate)
        own = {"file": head, "function": "collate" if function == "simulate" else function}
    if not own:
        return {}
    if "command" in own:
        command = tuple(map(str, own["command"]))
        Template.parse(command, COLLATION)
        return {"collation": Collation(command=command)}
    file = own.get("file", located.reference.file)
    bases = [located.folder, (located.folder / located.reference.file).parent]
    if request.collate is not None:
        bases = [Path.cwd()]
    elif request.file is not None and "file" in own:
        bases.insert(0, request.file.folder)
    path = next((found for base in bases if (found := (base / file).resolve()).is_file()), None)
    if path is None:
        raise RequestError(f"there is no file '{file}' to collate with")
    if located.folder not in path.parents:
        raise RequestError(
            f"'{file}' must lie in the model's project, {located.folder}, to travel with it; --project DIR names a "
            "folder that holds both"
        )
    name, function = path.relative_to(located.folder).as_posix(), own.get("function", "collate")
    check_function(path, function)
    return {"collation": Collation(name, function), "needed": (*located.needed, name)}
