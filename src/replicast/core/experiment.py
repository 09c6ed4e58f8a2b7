"""An experiment: model, scenarios, seed and streams, which is all that decides the numbers."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import quote

from .errors import ModelError, ParameterError, RequestError, nearest

StreamKind = Literal["parallel", "future", "doRNG", "own"]
STREAM_KINDS: tuple[str, ...] = get_args(StreamKind)
Language = Literal["python", "r", "command", "callable"]
RESERVED = ("replication", "params", "seed", "rng")
"""Argument names that replicast fills; every other argument of a model is a parameter."""

DEFAULT_SCENARIO = "base"


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
        if self.language == "command":
            return " ".join(self.command)
        if self.language == "callable":
            return self.function
        return (self.file or self.module) + (f":{self.function}" if self.function != "simulate" else "")


@dataclass(frozen=True, slots=True)
class Streams:
    """Which random number stream replication i runs on, and whether scenarios share it (`common`)."""

    kind: StreamKind = "parallel"
    common: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named set of parameter values; `index` is its place in the experiment, from 0."""

    name: str
    parameters: Mapping[str, Any]
    index: int = 0


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
            "scenarios": [{"name": s.name, "parameters": dict(s.parameters)} for s in self.scenarios],
            "seed": self.seed,
            "streams": {"kind": self.streams.kind, "common": self.streams.common},
            "keep": "rds" if self.keep_rds else None,
            "collate": collation,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Experiment:
        model: dict[str, Any] = dict(saved["model"])
        collate = saved.get("collate")
        model["command"] = tuple(model.get("command", ()))
        if collate is not None:
            collate = Collation(collate["file"], collate["function"], tuple(collate["command"]))
        return cls(
            model=ModelReference(**model),
            scenarios=tuple(Scenario(s["name"], s["parameters"], i) for i, s in enumerate(saved["scenarios"])),
            seed=saved["seed"],
            streams=Streams(**saved["streams"]),
            keep_rds=saved.get("keep") == "rds",
            collation=collate,
        )


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a model. `type` is that of its default: integer, double, boolean, string, null, list or other."""

    name: str
    required: bool = False
    type: str = "other"
    default: Any = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a loaded model says of itself: its parameters, whether it takes any, and what it ran under."""

    parameters: tuple[Parameter, ...] = ()
    takes_any: bool = False
    uses: tuple[str, ...] = ()
    has_collate: bool = False
    collate_argument: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    def takes_as_parameter(self, reserved: str) -> bool:
        """Whether a parameter of that reserved name would reach the model, and not be lost to what replicast fills."""
        return self.takes_any and (reserved not in self.uses or "params" in self.uses)


class Text(str):
    """A value typed on a command line, whose type the model's default decides."""

    __slots__ = ()


def parse_text(text: str) -> Any:
    """The value that a text most plainly means where no default says: 12 → int, 1.5 → float, true → bool, else text."""
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if lowered in ("null", "none"):
        return None
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return str(text)


def _fits(value: Any, parameter: Parameter) -> Any:
    """`value` as the parameter's type, or ValueError."""
    if isinstance(value, Text):
        return _text_fits(value, parameter)
    kind = parameter.type
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected: dict[str, type | tuple[type, ...]] = {
        "integer": int, "double": float, "boolean": bool, "string": str, "list": (list, dict, int, float, str, bool),
    }  # fmt: skip
    if value is None or kind not in expected:
        return value
    if not isinstance(value, expected[kind]) or (kind == "integer" and isinstance(value, bool)):
        raise ValueError(value)
    return value


def _text_fits(text: Text, parameter: Parameter) -> Any:
    kind = parameter.type
    if kind == "string":
        return str(text)
    if kind == "list":
        return [parse_text(part) for part in text.strip("[]").split(";" if ";" in text else ",")]
    value = parse_text(text)
    if kind == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "boolean" and value in (0, 1):
        return bool(value)
    wanted = {"integer": int, "double": float, "boolean": bool}.get(kind)
    if wanted is not None and value is not None and type(value) is not wanted:
        raise ValueError(text)
    return value


ARTICLES = {
    "integer": "an integer",
    "double": "a number",
    "boolean": "true or false",
    "string": "text",
    "list": "a list",
}


def fit_parameters(given: Mapping[str, Any], signature: Signature, model: str) -> dict[str, Any]:
    """`given` with each value in the type of the model's default.

    Raises ParameterError for a name that the model does not have, a value that does not fit, or a missing required one.
    """
    fitted: dict[str, Any] = {}
    for name, value in given.items():
        parameter = signature.parameter(name)
        if parameter is None and name in RESERVED and not signature.takes_as_parameter(name):
            raise ParameterError(f"'{name}' is filled by replicast; it cannot be given as a parameter")
        if parameter is None and not signature.takes_any:
            known = nearest(name, (p.name for p in signature.parameters)) or " (it has no parameters)"
            raise ParameterError(f"{model} has no parameter '{name}'{known}")
        try:
            fitted[name] = _fits(as_plain(value), parameter or Parameter(name))
        except (ValueError, OverflowError):
            expected = ARTICLES[parameter.type] if parameter else "?"
            message = f"parameter '{name}' of {model} takes {expected}, and '{value}' is not"
            raise ParameterError(message) from None
        if isinstance(fitted[name], Text):
            fitted[name] = parse_text(fitted[name])
    missing = [p.name for p in signature.parameters if p.required and p.name not in fitted]
    if missing:
        raise ParameterError(f"{model} needs a value for '{missing[0]}': give it with --param {missing[0]}=VALUE")
    return fitted


def as_plain(value: Any) -> Any:
    """A parameter's value in the types that JSON gives back: no numpy scalar, tuple or subclass of a number or text."""
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(item) for item in value]
    if isinstance(value, Text) or value is None or type(value) is bool:
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str.__str__(value) if isinstance(value, str) else value


def label_of(value: Any) -> str:
    """A parameter value as it stands in a scenario's name."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def cross(
    parameters: Mapping[str, Any],
    scenarios: Mapping[str, Mapping[str, Any]],
    grid: Mapping[str, Sequence[Any]],
) -> tuple[Scenario, ...]:
    """All scenarios of an experiment: named ones crossed with the full factorial of the grid, in the order given.

    A scenario of a grid is named by its point (`arrival_rate=5.0`), after the name of the scenario it is crossed with.
    """
    named = dict(scenarios) or {"": {}}
    grid = {name: values.tolist() if hasattr(values, "tolist") else values for name, values in grid.items()}
    for name, values in grid.items():
        if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or not values:
            raise RequestError(f"grid.{name} takes a list of values, and {values!r} is not one")
        if name in parameters or any(name in own for own in named.values()):
            raise RequestError(f"'{name}' is in the grid and is also given a value elsewhere; keep one of the two")
    points = [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]
    crossed: dict[str, dict[str, Any]] = {}
    for (name, own), point in itertools.product(named.items(), points):
        parts = [name] if name else []
        parts += [f"{key}={label_of(value)}" for key, value in point.items()]
        full = ",".join(parts) or DEFAULT_SCENARIO
        if full in crossed:
            raise RequestError(f"two scenarios would be called '{full}'; each value of a grid may stand in it once")
        crossed[full] = {**parameters, **own, **point}
    return tuple(Scenario(name, values, i) for i, (name, values) in enumerate(crossed.items()))


LONGEST_NAME = 240
"""Bytes of a scenario's name as a folder is called by it; file systems end at 255."""

SCENARIO_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")


def check_scenarios(scenarios: Iterable[Scenario]) -> None:
    """Refuses names that could not stand in a file's name, and parameter values that cannot be written as JSON."""
    for scenario in scenarios:
        if not SCENARIO_NAME.fullmatch(scenario.name) or scenario.name in (".", "..") or not _is_text(scenario.name):
            raise RequestError(
                f"a scenario cannot be called {scenario.name!r}: use letters, digits, and any of - _ . , ="
            )
        if len(quote(scenario.name, safe=" ,+-_@~")) > LONGEST_NAME:
            raise RequestError(f"the name of scenario {scenario.name[:40]!r}… is too long for a folder; shorten it")
        for name, value in scenario.parameters.items():
            if not _is_plain(value):
                raise ParameterError(
                    f"parameter '{name}' is a {type(value).__name__}; parameters are numbers, texts, booleans, "
                    "None, and lists and dicts of these"
                )


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and _is_text(value))


def _is_text(value: str) -> bool:
    """Whether a file can hold it: a command line may bring bytes that are no UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def check_streams(kind: str) -> None:
    if kind not in STREAM_KINDS:
        raise RequestError(f"no kind of streams is called '{kind}'{nearest(kind, STREAM_KINDS)}")


def check_seed(seed: int, reference: ModelReference, streams: Streams) -> None:
    """Refuses a seed outside the range that the model's generator takes (R: 32-bit signed; numpy: not negative)."""
    if reference.language == "r":
        if abs(seed) > 2**31 - 1:
            raise RequestError(f"an R seed lies between -2147483647 and 2147483647, and {seed} does not")
        return
    if streams.kind in ("future", "doRNG"):
        raise RequestError(f"streams of kind '{streams.kind}' are R's; for this model use 'parallel' or 'own'")
    if seed < 0:
        raise RequestError(f"numpy takes no negative seed, and {seed} is one")


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
    if old.keep_rds != new.keep_rds:
        found.append(f"keep: was {'rds' if old.keep_rds else 'nothing'}, is {'rds' if new.keep_rds else 'nothing'}")
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
