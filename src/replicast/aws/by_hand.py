"""A run asked for by hand: `{"repetitions": 10}` given to the state machine becomes a run of the deployed model."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from replicast.core.antithetic import check_pairs
from replicast.core.choosing import check_budget
from replicast.core.errors import RequestError, nearest
from replicast.core.experiment import Experiment
from replicast.core.parameters import Parameter, Signature, fit_parameters
from replicast.core.record import (
    LETTERS,
    Options,
    RunRecord,
    Tolerance,
    check_options,
    check_replications,
    check_run_name,
)
from replicast.core.scenarios import Scenario, check_scenarios, cross
from replicast.core.segments import digests_of
from replicast.models import check_seed

from .stack import PLACE

FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "repetitions": int, "replications": int, "seed": int, "parameters": dict, "scenarios": dict, "grid": dict,
    "precision": str, "max": int, "tolerate": (str, int), "timeout": (int, float), "retries": int, "name": str,
    "select": str, "indifference": (int, float), "budget": int,
}  # fmt: skip


WANTED = {
    int: "a whole number, such as 10, without quotes", str: 'text in quotes', dict: 'an object, such as {"beds": 12}',
    (str, int): 'a share or a count, such as "5%" or 3', (int, float): "a number of seconds, such as 600",
}  # fmt: skip
EXAMPLE = {
    "precision": 'text in quotes, such as "value=5%"', "select": 'text in quotes, such as "value=lower"',
    "indifference": "a number in the metric's unit, such as 0.5",
}  # fmt: skip
FLAG = re.compile(r"(?<![\w-])--?([a-z][a-z-]*)")


def order_of(given: Any) -> dict[str, Any]:
    """What the state machine was started with. Raises RequestError where that is no object."""
    if not isinstance(given, Mapping):
        raise RequestError(f'start it with an object, such as {{"repetitions": 10}}, and not with {json.dumps(given)}')
    if "run" in given and "round" not in given:
        check_prepared(given)
    return dict(given)


def check_prepared(given: Mapping[str, Any]) -> None:
    """A run that is there says for itself what is wanted of it. Raises RequestError."""
    if not isinstance(given["run"], str):
        raise RequestError(f"field 'run' takes the name of a run in quotes, and {json.dumps(given['run'])} is none")
    check_run_name(given["run"])
    if others := sorted(set(given) - {"run"}):
        raise RequestError(
            f"'run' is a run that is there, with all that was asked of it, so '{others[0]}' has no place beside it; "
            "to top up one that was started by hand, give its 'name'"
        )


def record_by_hand(
    typed: Mapping[str, Any], deployed: RunRecord, signature: Signature, *, execution: str, started: str
) -> RunRecord:
    """As `_record`; what is wrong is told in the console's words, where there are fields and no options."""
    try:
        return _record(typed, deployed, signature, execution=execution, started=started)
    except RequestError as error:
        words = {"n": "repetitions"}
        raise type(error)(FLAG.sub(lambda found: f"'{words.get(found[1], found[1])}'", str(error))) from None


def _record(
    typed: Mapping[str, Any], deployed: RunRecord, signature: Signature, *, execution: str, started: str
) -> RunRecord:
    """The run that `typed` asks for. The same execution gives the same run, however often it is asked.

    `execution` is the execution's ARN and `started` its start as ISO 8601. Raises RequestError, naming the field.
    """
    _check_fields(typed)
    number = typed.get("repetitions", typed.get("replications"))
    replications = check_replications(deployed.replications if number is None else number)
    seed = typed.get("seed")
    experiment = dataclasses.replace(
        deployed.experiment,
        scenarios=_scenarios(typed, deployed.experiment, signature),
        seed=_seed_of(execution) if seed is None else seed,
    )
    check_seed(experiment.seed, experiment.model, experiment.streams)
    check_pairs(replications, experiment.streams.antithetic)
    name, options = typed.get("name"), check_options(_options(typed, deployed.options), replications)
    if options.select and len(experiment.scenarios) < 2:
        raise RequestError("'select' chooses among scenarios, and there is one: give 'scenarios' or a 'grid'")
    if options.select:
        check_budget(options.budget, len(experiment.scenarios), experiment.streams.antithetic)
    return dataclasses.replace(
        deployed,
        id=run_id_of(execution, started) if name is None else check_run_name(name),
        experiment=experiment,
        design={} if "scenarios" in typed or "grid" in typed else deployed.design,
        digests=digests_of(experiment.to_dict()),
        replications=replications,
        created=started,
        options=options,
        place=PLACE,
        host="aws",
        user="",
    )


def _check_fields(typed: Mapping[str, Any]) -> None:
    for field, value in typed.items():
        if field not in FIELDS:
            raise RequestError(f"there is no field '{field}'{nearest(field, FIELDS)}")
        if not isinstance(value, FIELDS[field]) or isinstance(value, bool):
            wanted = EXAMPLE.get(field, WANTED[FIELDS[field]])
            raise RequestError(f"field '{field}' takes {wanted}, and {json.dumps(value)} is none")
    if "repetitions" in typed and "replications" in typed:
        raise RequestError("'repetitions' and 'replications' mean the same; give one of the two")


def _scenarios(typed: Mapping[str, Any], deployed: Experiment, signature: Signature) -> tuple[Scenario, ...]:
    """Those of the deployed experiment unless others are given; `parameters` go before theirs."""
    parameters = typed.get("parameters", {})
    for name, own in typed.get("scenarios", {}).items():
        if not isinstance(own, Mapping):
            raise RequestError(f"scenario '{name}' takes {WANTED[dict]}, and {json.dumps(own)} is none")
    if "scenarios" in typed or "grid" in typed:
        crossed = cross(parameters, typed.get("scenarios", {}), typed.get("grid", {}))
    else:
        crossed = tuple(dataclasses.replace(s, parameters={**s.parameters, **parameters}) for s in deployed.scenarios)
    label = deployed.model.label
    scenarios = tuple(
        dataclasses.replace(s, parameters=fit_parameters(s.parameters, signature, label)) for s in crossed
    )
    check_scenarios(scenarios)
    return scenarios


def _options(typed: Mapping[str, Any], deployed: Options) -> Options:
    tolerate = typed.get("tolerate")
    if "precision" in typed or "select" in typed:  # the one rule goes before the other that was deployed
        deployed = dataclasses.replace(deployed, precision=None, select=None, indifference=None, budget=None)
    if "budget" in typed or "indifference" in typed:
        deployed = dataclasses.replace(deployed, indifference=None, budget=None, maximum=None)
    return dataclasses.replace(
        deployed,
        precision=typed.get("precision", deployed.precision),
        select=typed.get("select", deployed.select),
        indifference=typed.get("indifference", deployed.indifference),
        budget=typed.get("budget", deployed.budget),
        maximum=typed.get("max", deployed.maximum),
        timeout_seconds=typed.get("timeout", deployed.timeout_seconds),
        retries=typed.get("retries", deployed.retries),
        tolerance=deployed.tolerance if tolerate is None else Tolerance.parse(str(tolerate)),
    )


def run_id_of(execution: str, started: str) -> str:
    """A run ID that sorts by time as those made at home do; unique, since an execution's ARN and start are."""
    moment = datetime.fromisoformat(started)
    digest = hashlib.sha256(f"{execution} {started}".encode()).digest()
    return f"{moment:%Y%m%dT%H%M%S}-" + "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:6])


def _seed_of(execution: str) -> int:
    """A seed that nobody chose, the same each time the same execution is planned; from 1 to 2³¹ - 1."""
    return int.from_bytes(hashlib.sha256(execution.encode()).digest()[:8], "big") % (2**31 - 1) + 1


def signature_from_dict(saved: Mapping[str, Any]) -> Signature:
    parameters = tuple(Parameter(**parameter) for parameter in saved["parameters"])
    listed = {name: tuple(saved[name]) for name in ("uses", "warnings") if name in saved}
    return Signature(**{**saved, "parameters": parameters, **listed})
