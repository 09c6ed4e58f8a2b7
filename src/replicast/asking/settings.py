"""experiment.toml and the environment, as arguments: the only reader of either."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from replicast.core.commands import USUAL_STORE
from replicast.core.errors import RequestError, nearest

TOP_KEYS: dict[str, Any] = {
    "model": str, "command": list, "replications": int, "seed": int, "parameters": dict, "scenarios": dict,
    "grid": dict, "collate": dict, "streams": dict, "keep": str, "timeout": (int, float), "retries": int,
    "tolerate": (str, int), "precision": str, "max": int, "store": str, "name": str, "workers": int, "design": dict,
    "memory": (str, int), "look_ahead": int, "select": str, "indifference": (int, float), "budget": int,
    "control": dict, "source": dict, "places": dict,
}  # fmt: skip
INNER_KEYS: dict[str, dict[str, Any]] = {
    "collate": {"command": list, "file": str, "function": str},
    "streams": {"kind": str, "common": bool, "antithetic": bool},
    "source": {"root": str, "include": list, "exclude": list},
    "design": {
        "csv": str,
        "latin_hypercube": int,
        "sobol": int,
        "saltelli": int,
        "morris": int,
        "ranges": dict,
        "seed": int,
    },
}
KIND_NAMES = {
    str: "text", int: "an integer", float: "a number", list: "a list", dict: "a table", bool: "true or false",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExperimentFile:
    """What an experiment.toml says; `folder` is where it lies, from which its paths count, and `name` its own."""

    folder: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)


def read_experiment_file(path: Path) -> ExperimentFile:
    """Raises RequestError for a file that is not there, is no TOML, or has unknown keys or values of a wrong type."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise RequestError(f"there is no file '{path}'") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"'{path}' cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"'{path}' is not valid TOML: {error}") from None
    _check_keys(values, TOP_KEYS, str(path), "")
    for table, keys in INNER_KEYS.items():
        _check_keys(values.get(table, {}), keys, str(path), f"{table}.")
    for name, own in values.get("scenarios", {}).items():
        if not isinstance(own, dict):
            raise RequestError(f"{path}: scenarios.{name} takes parameters, and {own!r} is not a table of them")
    if "model" in values and "command" in values:
        raise RequestError(f"{path}: give either 'model' or 'command', not both")
    return ExperimentFile(path.resolve().parent, values, path.name)


def _check_keys(values: Mapping[str, Any], known: Mapping[str, Any], where: str, prefix: str) -> None:
    for key, value in values.items():
        if key not in known:
            raise RequestError(f"{where}: there is no key '{prefix}{key}'{nearest(key, known)}")
        wanted = known[key]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            expected = " or ".join(KIND_NAMES[kind] for kind in (wanted if isinstance(wanted, tuple) else (wanted,)))
            raise RequestError(f"{where}: '{prefix}{key}' takes {expected}, and {value!r} is not")


def default_store() -> str:
    return os.environ.get("REPLICAST_STORE") or USUAL_STORE.get()


def inside_worker() -> bool:
    """Whether this process simulates for a run: a model that starts runs would do so without end."""
    return os.environ.get("REPLICAST_IN_WORKER") == "1"
