"""Tables of what can be had by name: our own, named by text and imported when asked for, and plug-ins' entry points."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Generic, TypeVar

from replicast.core.errors import RequestError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = TypeVar("Kind")


class Registry(Generic[Kind]):
    """`group` is that of the entry points, `shape` what each has to give. Our own names go before a plug-in's."""

    def __init__(self, group: str, built_in: Mapping[str, str], shape: type[Kind]) -> None:
        self.group, self.built_in, self.shape = group, built_in, shape

    def find(self, name: str) -> Kind | None:
        """None where there is none of that name. Raises RequestError for a plug-in that gives something else."""
        if name in self.built_in:
            return self.load(self.built_in[name])
        found = [entry for entry in self.entry_points() if entry.name == name]
        if len({entry.value for entry in found}) > 1:
            raise RequestError(f"several plug-ins give '{name}' ({self.group}): {listed(found)}; uninstall all but one")
        return self._load_plug_in(found[0]) if found else None

    def load(self, text: str) -> Kind:
        """What `package.module:NAME` names."""
        module, _, name = text.partition(":")
        kind: Kind = getattr(importlib.import_module(module), name)
        return kind

    def names(self) -> list[str]:
        return [*self.built_in, *sorted({entry.name for entry in self.entry_points()} - set(self.built_in))]

    def entry_points(self) -> list[EntryPoint]:
        """Of all plug-ins that are installed; looked up anew, which looks into every installed package."""
        if not may_be_given(self.group):
            return []
        from importlib.metadata import entry_points

        return list(entry_points(group=self.group))

    def _load_plug_in(self, entry: EntryPoint) -> Kind:
        try:
            kind = entry.load()
        except Exception as error:  # whatever a plug-in raises while it is imported
            raise RequestError(
                f"the plug-in {listed([entry])} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(kind, self.shape):
            raise RequestError(
                f"the plug-in {listed([entry])} gives {type(kind).__name__}, and {self.group} takes "
                f"{self.shape.__module__}.{self.shape.__name__}"
            )
        return kind


def may_be_given(group: str, path: Sequence[str] | None = None) -> bool:
    """Whether a package on the path may have entry points of the group, which `importlib.metadata` is then asked for.

    That takes .03 s to be imported alone. Says yes to what it cannot look into: archives, and finders of other kinds.
    """
    if any(hasattr(finder, "find_distributions") for finder in sys.meta_path if finder is not PathFinder):
        return True
    return any(_has_group(folder or ".", group.encode()) for folder in (sys.path if path is None else path))


def _has_group(folder: str, group: bytes) -> bool:
    try:
        entries = list(os.scandir(folder))
    except NotADirectoryError:
        return True
    except OSError:
        return False
    for entry in entries:
        if entry.name.endswith(".egg"):
            return True
        if entry.name.endswith((".dist-info", ".egg-info")) and group in _entry_points_of(entry.path):
            return True
    return False


def _entry_points_of(folder: str) -> bytes:
    try:
        with open(f"{folder}/entry_points.txt", "rb") as file:  # noqa: PTH123 - pathlib takes as long as all the rest
            return file.read()
    except OSError:
        return b""


def listed(entries: Iterable[EntryPoint]) -> str:
    """Names plug-ins to a person: what each gives, and the package that it comes with."""
    return ", ".join(f"'{e.name} = {e.value}'" + (f" of {e.dist.name} {e.dist.version}" if e.dist else "")
                     for e in entries)  # fmt: skip
