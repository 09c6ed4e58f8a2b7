"""An experiment: model, scenarios, seed and streams, which is all that decides the numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec

from .errors import ModelError, RequestError, nearest
from .scenarios import Scenario

StreamKind = Literal["parallel", "future", "doRNG", "own"]
STREAM_KINDS: tuple[str, ...] = get_args(StreamKind)
Language = str
"""python, r, command, callable, or a plug-in's."""

NO_FILE: Language = "callable"
"""Of a function that no file or module names: `module` is its digest."""


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Where a model is found in the run's copy of its source.

    For `python` and `r`: `file` is relative to that copy (for an installed Python module it is empty and `module` names
    it), `function` is what is called. For `command`: `command` is the argument vector with its placeholders.
    """

    language: Language
    file: str = ""
    function: str = "simulate"
    module: str = ""
    command: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        if self.command:
            return " ".join(self.command)
        if self.language == NO_FILE:
            return self.function
        return (self.file or self.module) + (f":{self.function}" if self.function != "simulate" else "")

    @property
    def lone_table(self) -> str:
        """What a table is called that is all that was returned; "" where its file names it."""
        return "" if self.command else "table"


@dataclass(frozen=True, slots=True)
class Streams:
    """Which random number stream replication i runs on, and whether scenarios share it (`common`).

    `antithetic`: replication 2i runs on the stream of 2i - 1 and mirrors it, see `core.antithetic`.
    """

    kind: StreamKind = "parallel"
    common: bool = True
    antithetic: bool = False

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": self.kind, "common": self.common}
        return found | ({"antithetic": True} if self.antithetic else {})


@dataclass(frozen=True, slots=True)
class Collation:
    """The model's own collation and output chunk: a function of a file, or a command."""

    file: str = ""
    function: str = "collate"
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Experiment:
    model: ModelReference
    scenarios: tuple[Scenario, ...]
    seed: int
    streams: Streams = Streams()
    keep_rds: bool = False
    collation: Collation | None = None
    keep_files: bool = False

    @property
    def keep(self) -> str:
        """What is kept beside metrics and tables, as it is asked for; empty for nothing."""
        return ",".join(name for name, kept in (("rds", self.keep_rds), ("files", self.keep_files)) if kept)

    def scenario(self, name: str) -> Scenario:
        for scenario in self.scenarios:
            if scenario.name == name:
                return scenario
        raise RequestError(f"no scenario is called '{name}'{nearest(name, (s.name for s in self.scenarios))}")

    def to_dict(self) -> dict[str, Any]:
        own = self.model
        model: dict[str, Any] = {"language": own.language, "file": own.file, "function": own.function}
        model = {**model, "module": self.model.module, "command": list(self.model.command)}
        collation = None
        if self.collation is not None:
            chunk = self.collation
            collation = {"file": chunk.file, "function": chunk.function, "command": list(chunk.command)}
        return {
            "model": model,
            "scenarios": [
                {"name": s.name, "parameters": dict(s.parameters)} | ({"note": s.note} if s.note else {})
                for s in self.scenarios
            ],
            "seed": self.seed,
            "streams": self.streams.to_dict(),
            "keep": self.keep or None,
            "collate": collation,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Experiment:
        """Raises ValueError or KeyError for what `to_dict` would not have made."""
        if not isinstance(saved, Mapping):
            raise TypeError(f"an experiment is an object, and {saved!r} is not")
        return msgspec.convert(cls._as_fields(saved), cls)

    @staticmethod
    def _as_fields(saved: Mapping[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in saved.items() if name not in ("keep", "collate")}
        fields["scenarios"] = [{**scenario, "index": index} for index, scenario in enumerate(saved["scenarios"])]
        keep = saved.get("keep") or ""
        if not isinstance(keep, str):
            raise TypeError(f"'keep' is text, and {keep!r} is not")
        keep = keep.split(",")
        return fields | {
            "keep_rds": "rds" in keep, "keep_files": "files" in keep, "collation": saved.get("collate"),
        }  # fmt: skip


def check_streams(kind: str) -> None:
    if kind not in STREAM_KINDS:
        raise RequestError(f"no kind of streams is called '{kind}'{nearest(kind, STREAM_KINDS)}")


def check_antithetic(streams: Streams, model: str, uses: Collection[str]) -> None:
    """Refuses pairs of a model that seeds itself, or that would not know which half it is."""
    if not streams.antithetic:
        return
    if streams.kind == "own":
        raise RequestError(
            "antithetic replications mirror replicast's streams, and those of kind 'own' are the model's"
        )
    if "antithetic" not in uses:
        raise ModelError(
            f"{model} does not take the argument `antithetic`, so that it could not mirror what it draws: add it, and "
            "draw by inversion from rng.uniforms(n) (in R, replicast_uniform(n)); a command takes {antithetic}"
        )


def same_value(left: Any, right: Any) -> bool:
    """Equality that keeps 1 and 1.0 apart and takes NaN to equal NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same_value(left[k], right[k]) for k in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same_value, left, right))
    return bool(left == right or (isinstance(left, float) and math.isnan(left) and math.isnan(right)))


def differences(old: Experiment, new: Experiment) -> list[str]:
    """What makes `new` another experiment than `old`, one line each; scenarios that are only added do not."""
    found = []
    if old.model != new.model:
        found.append(f"model: was {old.model.label}, is {new.model.label}")
    if old.seed != new.seed:
        found.append(f"seed: was {old.seed}, is {new.seed}")
    if old.streams != new.streams:
        found.append(f"streams: was {old.streams}, is {new.streams}")
    if old.keep != new.keep:
        found.append(f"keep: was {old.keep or 'nothing'}, is {new.keep or 'nothing'}")
    ours = {s.name: s for s in new.scenarios}
    for scenario in old.scenarios:
        match = ours.get(scenario.name)
        if match is None:
            found.append(f"scenario '{scenario.name}': was there, is gone")
        elif not same_value(dict(scenario.parameters), dict(match.parameters)):
            found.append(f"scenario '{scenario.name}': {_parameter_change(scenario.parameters, match.parameters)}")
        elif match.index != scenario.index and not new.streams.common:
            found.append(f"scenario '{scenario.name}': was number {scenario.index + 1}, is {match.index + 1}")
    return found


def _parameter_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    absent = object()
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, absent), new.get(name, absent)
        if not same_value(was, now):
            shown = ["not given" if v is absent else repr(v) for v in (was, now)]
            return f"parameter '{name}' was {shown[0]}, is {shown[1]}"
    return "parameters differ"


def model_reference_from_text(text: str) -> tuple[str, str]:
    """`FILE[:FUNCTION]` or `package.module:function` → (file or module, function)."""
    head, separator, function = text.rpartition(":")
    if not separator or (len(head) == 1 and function.startswith(("/", "\\"))):
        return text, "simulate"
    if not function.isidentifier() and not re.fullmatch(r"[A-Za-z.][\w.]*", function):
        raise ModelError(f"'{function}' in '{text}' is not the name of a function")
    return head, function
