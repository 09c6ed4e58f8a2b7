"""A run's experiment as the experiment.toml that would have asked for it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from replicast.core.record import RunRecord
from replicast.models import language_or_any


def experiment_as_toml(record: RunRecord) -> str:
    """Model, seed, streams, replications and scenarios. None has no form in TOML, and is left as a comment."""
    experiment = record.experiment
    model = experiment.model
    if model.command:
        lines = [f"command = {_value(list(model.command))}"]
    elif not language_or_any(model).travels:
        lines = [f"# model: the Python function {model.function}, which no file defines"]
    else:
        function = f":{model.function}" if model.function != "simulate" else ""
        lines = [f"model = {_value((model.file or model.module) + function)}"]
    lines += [f"replications = {record.replications}", f"seed = {experiment.seed}"]
    for name in ("select", "indifference", "budget"):
        value = getattr(record.options, name)
        lines += [f"{name} = {_value(value)}"] if value is not None else []
    if record.options.select and record.options.maximum is not None:
        lines.append(f"max = {record.options.maximum}")
    if record.options.precision:
        lines.append(f"precision = {_value(record.options.precision)}")
        lines += [f"max = {record.options.maximum}"] if record.options.maximum else []
        lines += [f"look_ahead = {record.options.look_ahead}"] if record.options.look_ahead is not None else []
    if experiment.keep:
        lines.append(f"keep = {_value(experiment.keep)}")
    streams = experiment.streams
    lines += ["", "[streams]", f"kind = {_value(streams.kind)}", f"common = {_value(streams.common)}"]
    lines += ["antithetic = true"] if streams.antithetic else []
    if record.options.control:
        lines += ["", "[control]", *(_pair(name, value) for name, value in record.options.control.items())]
    if experiment.collation is not None:
        own = experiment.collation
        pairs = {"command": list(own.command)} if own.command else {"file": own.file, "function": own.function}
        lines += ["", "[collate]", *(f"{key} = {_value(value)}" for key, value in pairs.items())]
    for scenario in experiment.scenarios:
        lines += ["", f"[scenarios.{json.dumps(scenario.name, ensure_ascii=False)}]"]
        lines += [f"# {line}" for line in scenario.note.splitlines()]
        lines += [_pair(name, value) for name, value in scenario.parameters.items()]
    return "\n".join(lines) + "\n"


def _pair(name: str, value: Any) -> str:
    key = json.dumps(name, ensure_ascii=False)
    return f"# {key} = null" if value is None else f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)} = {_value(v)}" for k, v in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return json.dumps(value, ensure_ascii=False)
