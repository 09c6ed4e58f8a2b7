"""Python models: a function of a file, of an importable module, or a callable that was handed over."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import linecache
import os
import platform
import sys
import traceback
import warnings
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from replicast.core.errors import ModelError, nearest
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.parameters import RESERVED, Parameter, Signature

from .python_defaults import plain_default, type_of_default
from .python_imports import Imports, imports_from, is_installed
from .python_missing import NO_PARENT, how_not_to_end, how_to_name, what_to_do
from .python_outside import Surroundings
from .python_simulate import CaughtWarnings, PythonSimulate, TakesLog, model_traceback

NOT_A_PROJECT = frozenset({*sys.stdlib_module_names, "__main__", "numpy", "replicast"})
"""Module names under which no model is loaded, so that `queue.py` may be a model and does not replace `queue`."""

IGNORED_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


class PythonModel:
    """Fulfils `core.ports.Model` for a Python function.

    `folder` is the run's copy of the source, and `project` what it is a copy of, where that is on this machine;
    `function`, where given, is called in place of the one that the reference names. `log` gives what was printed since
    it was last asked.
    """

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        *,
        log: TakesLog,
        function: Callable[..., Any] | None = None,
        project: Path | None = None,
    ) -> None:
        self.folder, self.experiment, self.log, self.project = folder, experiment, log, project
        self._given = function

    def load(self) -> Callable[..., Any]:
        """The function, imported. Raises ModelError, with the model's own traceback in `detail`."""
        if self._given is not None:
            return self._given
        return load_function(self.folder, self.experiment.model, self.project)

    def describe(self) -> Signature:
        before = frozenset(name.partition(".")[0] for name in sys.modules.copy())
        with working_in(self.folder, self.project) as imports, _syntax_warnings(self.folder) as said:
            function = self.load()
            module = sys.modules.get(function.__module__)
            packages, outside = Surroundings(imports, before).find()
        signature = read_signature(function)
        collate = getattr(module, "collate", None)
        versions = {"python": platform.python_version(), "numpy": np.__version__} | packages
        return Signature(**(signature | {"has_collate": callable(collate), "versions": versions, "outside": outside,
                                        "warnings": tuple(said)}))  # fmt: skip

    @contextmanager
    def start(self) -> Iterator[PythonSimulate]:
        with working_in(self.folder, self.project):
            function = self.load()
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                for category in IGNORED_WARNINGS:
                    warnings.simplefilter("ignore", category)
                caught = CaughtWarnings()
                warnings.showwarning = caught  # type: ignore[assignment]
                arguments = read_signature(function)
                yield PythonSimulate(function, arguments, self.experiment, self.folder, self.log, caught)


@contextmanager
def _syntax_warnings(folder: Path) -> Iterator[list[str]]:
    """What the compiler warns of in the folder's files while they are imported, once that has ended."""
    said: list[str] = []
    root = os.path.realpath(folder) + os.sep
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", SyntaxWarning)
        warnings.filterwarnings("always", "invalid (escape|octal)", DeprecationWarning)  # Python 3.11's word for it
        yield said
    for one in caught:
        file = os.path.realpath(one.filename)
        if file.startswith(root):
            said.append(f"{file.removeprefix(root)}, line {one.lineno}: {one.category.__name__}: {one.message}")


@contextmanager
def working_in(folder: Path, project: Path | None = None) -> Iterator[Imports]:
    """Makes `folder` the working directory and the first place where modules are looked for, see `imports_from`; a
    command line is empty there.

    Modules of the same names, and of the project, that were imported before (another run, the user's own script) are
    set aside.
    """
    before = Path.cwd()
    with imports_from(folder, project) as imports:
        own = {entry.stem if entry.suffix == ".py" else entry.name for entry in folder.iterdir()}
        aside = {
            name: module for name, module in sys.modules.copy().items() if _is_in_the_way(name, module, own, imports)
        }
        for name in aside:
            del sys.modules[name]
        os.chdir(folder)
        arguments, sys.argv = sys.argv, ["model"]
        try:
            yield imports
        finally:
            sys.argv = arguments
            os.chdir(before)
            for name in [name for name, module in sys.modules.copy().items() if _lies_in(module, folder)]:
                del sys.modules[name]
            sys.modules.update(aside)


def _is_in_the_way(name: str, module: ModuleType, own: Container[str], imports: Imports) -> bool:
    """Whether a module hides one of the folder's, or is the project's as it is now; what is installed never is."""
    first, file = name.partition(".")[0], _file_of(module)
    if first in NOT_A_PROJECT or not file or is_installed(file):
        return False
    return first in own or imports.is_in_project(file)


def _lies_in(module: ModuleType, folder: Path) -> bool:
    return _file_of(module).startswith((f"{folder}{os.sep}", f"{folder.resolve()}{os.sep}"))


def _file_of(module: ModuleType) -> str:
    """Read past `getattr`, which makes some modules import others."""
    return getattr(module, "__dict__", {}).get("__file__") or ""


def load_module(folder: Path, file: str, project: Path | None = None) -> ModuleType:
    """The module of a source file, run anew. Raises ModelError."""
    path = folder / file
    name = path.stem if path.stem.isidentifier() and path.stem not in NOT_A_PROJECT else "model"
    linecache.clearcache()
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ModelError(f"'{file}' is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    with _loading(file, folder, project), _in_path(path.parent):
        specification.loader.exec_module(module)
    return module


@contextmanager
def _in_path(folder: Path) -> Iterator[None]:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    yield


@contextmanager
def _loading(label: str, folder: Path, project: Path | None) -> Iterator[None]:
    where = os.path.realpath(folder)
    try:
        yield
    except SyntaxError as error:
        detail = "".join(traceback.format_exception_only(error)).replace(f'File "{where}/', 'File "')
        raise ModelError(f"{label} has a syntax error in line {error.lineno}: {error.msg}", detail) from None
    except ImportError as error:
        missing = what_to_do(error.name, folder, project) if error.name else ""
        missing = how_to_name(label, project) if NO_PARENT in str(error) else missing
        raise ModelError(f"{label} cannot be loaded: {error}{missing}", model_traceback(error, where)) from None
    except ModelError:
        raise
    except SystemExit as error:
        message = f"{label} cannot be loaded: {type(error).__name__}: {error}; {how_not_to_end(error)}"
        raise ModelError(message, model_traceback(error, where)) from None
    except Exception as error:
        message = f"{label} cannot be loaded: {type(error).__name__}: {error}"
        raise ModelError(message, model_traceback(error, where)) from None


def load_function(folder: Path, reference: ModelReference, project: Path | None = None) -> Callable[..., Any]:
    if reference.file:
        module = load_module(folder, reference.file, project)
    else:
        with _loading(reference.module, folder, project):
            try:
                module = importlib.import_module(reference.module)
            except ModuleNotFoundError as error:
                if error.name is None or not f"{reference.module}.".startswith(f"{error.name}."):
                    raise
                raise ModelError(f"there is no module '{error.name}'") from None
    function: Any = module
    for part in reference.function.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
        where = reference.file or reference.module
        hint = nearest(reference.function, known) or " (it defines no function)"
        raise ModelError(f"{where} has no function '{reference.function}'{hint}")
    return function  # type: ignore[no-any-return]


def read_signature(function: Callable[..., Any]) -> dict[str, Any]:
    """Arguments of Signature: parameters, takes_any, uses. Raises ModelError for positional-only arguments."""
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise ModelError(f"the arguments of {function!r} cannot be read: {error}") from None
    parameters = []
    for argument in arguments:
        if argument.kind is argument.POSITIONAL_ONLY:
            raise ModelError(f"argument '{argument.name}' of the model is positional only; arguments go by name")
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD) or argument.name in RESERVED:
            continue
        required = argument.default is argument.empty
        default = None if required else argument.default
        kind = "other" if required else type_of_default(default)
        optional = "None" in str(argument.annotation) or "Optional" in str(argument.annotation)
        parameters.append(Parameter(argument.name, required, kind, plain_default(default, kind), optional))
    names = {argument.name for argument in arguments if argument.name in RESERVED}
    any_keyword = any(argument.kind is argument.VAR_KEYWORD for argument in arguments)
    uses = tuple(name for name in RESERVED if name in names)
    return {"parameters": tuple(parameters), "takes_any": any_keyword or "params" in names, "uses": uses}


__all__ = ["PythonModel", "load_function", "load_module", "model_traceback", "read_signature", "working_in"]
