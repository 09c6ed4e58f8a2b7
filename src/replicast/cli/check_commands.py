"""`replay`, `verify` and `check`: the same numbers again?"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from replicast.core.commands import command as hint
from replicast.core.errors import RequestError

from .opening import open_run
from .run_commands import request_from
from .screen import duration, number, print_json, print_table, say, say_note, say_words, show, show_words
from .trust import check_trust

SAME, DIFFERENT = 0, 1
SHOWN_METRICS = 20
FIRST_WORD_SECONDS = 2.0


def replay(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    if chosen.snippet and not chosen.pdb:
        return _write_snippet(handle, chosen)
    check_trust(handle.record, chosen)
    if chosen.pdb:
        return _debug(handle, chosen)
    comparison = handle.replay(chosen.replication, chosen.scenario)
    _say_changes(handle)
    again = comparison.again
    if chosen.json:
        said = {"changes": handle.changes, "performed_on": handle.performed_on}
        print_json(_as_dict(comparison) | said | {"metrics": again.metrics(), "ledger": again.ledger})
        return DIFFERENT if comparison.found else SAME
    if again.ledger["log"].strip():
        say(again.ledger["log"].rstrip())
    if again.failed:
        say(again.ledger["traceback"].rstrip())
        show_words(f"replication {again.replication} failed: {again.ledger['error_type']}: {again.ledger['error']}")
    for name, value in again.metrics().items():
        show(f"{name} = {value!r}")
    for name, frame in again.tables.items():
        if name != "metrics":
            show(f"table {name}: {len(frame):,} rows")
    verdict = _verdict(comparison)
    if lines := handle.snippet(chosen.replication, chosen.scenario):
        say(f"\nin an R session (--snippet FILE.R writes these lines, and the model's files beside them):\n{lines}")
    return verdict


def _say_changes(handle: Any) -> None:
    """What explains a difference, before any is shown."""
    for line in handle.changes:
        say_note(f"since the run was made: {line}")
    if handle.performed_on:
        say_note(f"PERFORMED ON ANOTHER SYSTEM: {'; '.join(handle.performed_on)}; numbers may differ by that")


def _as_dict(comparison: Any) -> dict[str, Any]:
    return {
        "scenario": comparison.scenario, "replication": comparison.replication, "stored": comparison.found is not None,
        "equal": comparison.found == [], "differences": comparison.found or [],
    }  # fmt: skip


def _verdict(comparison: Any) -> int:
    where = f"replication {comparison.replication} of scenario '{comparison.scenario}'"
    if comparison.found is None:
        say_words(f"{where} is not stored, so there is nothing to compare with")
        return SAME
    if not comparison.found:
        say_words(f"{where}: equal to the stored result")
        return SAME
    say_words(f"{where}: NOT equal to the stored result (stored; now):")
    for line in comparison.found:
        say_words(f"  {line}")
    return DIFFERENT


def _debug(handle: Any, chosen: argparse.Namespace) -> int:
    """Simulates in this very process, and opens the debugger where the model raises."""
    import pdb
    import tempfile
    import traceback

    from replicast.models import language_of
    from replicast.models.capture import NoLog
    from replicast.models.python import PythonModel
    from replicast.performing.copies import check_out

    experiment = handle.record.experiment
    if not language_of(experiment.model).debugs:
        raise RequestError("--pdb is for Python models; in an R model put browser() and source it by hand")
    scenario = experiment.scenario(chosen.scenario) if chosen.scenario else experiment.scenarios[0]
    with tempfile.TemporaryDirectory(prefix="replicast-") as scratch:
        folder = Path(scratch) / "model"
        check_out(handle.store, handle.id, folder, handle.record.files)
        with PythonModel(folder, experiment, log=NoLog()).start() as simulate:
            try:
                returned = simulate.debug(scenario, chosen.replication)
            except Exception as error:
                traceback.print_exception(error)
                pdb.post_mortem(error.__traceback__)
                return DIFFERENT
    say("it did not fail; it returned:")
    show(repr(returned))
    return SAME


def _write_snippet(handle: Any, chosen: argparse.Namespace) -> int:
    """The R lines of a replication, and beside them the run's copy of the source that they load."""
    file = Path(chosen.snippet)
    source = file.with_name(f"{file.stem}-source")
    handle.write_snippet(chosen.replication, file, source, chosen.scenario)
    if chosen.json:
        print_json({"run": handle.id, "replication": chosen.replication, "file": str(file), "source": str(source),
                    "function": handle.record.experiment.model.function})  # fmt: skip
    else:
        show(file)
        say(f'in R: source("{file}"); the model\'s files are in {source}')
    return SAME


def verify(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen, chosen.on)
    if chosen.stored:
        return _verify_stored(handle, as_json=chosen.json)
    check_trust(handle.record, chosen)
    comparisons = handle.verify(chosen.sample, workers=chosen.workers)
    _say_changes(handle)
    different = [comparison for comparison in comparisons if comparison.found]
    if chosen.json:
        print_json({"run": handle.id, "verified": len(comparisons), "different": len(different),
                    "changes": handle.changes, "performed_on": handle.performed_on,
                    "replications": [_as_dict(c) for c in comparisons]})  # fmt: skip
        return DIFFERENT if different else SAME
    for comparison in comparisons:
        _verdict(comparison)
    show_words(f"{len(comparisons)} replications simulated again, {len(different)} of them different")
    return DIFFERENT if different else SAME


def _verify_stored(handle: Any, *, as_json: bool) -> int:
    """Whether every stored byte is what was stored; nothing is simulated."""
    found = handle.damage()
    if as_json:
        print_json({"run": handle.id, "damaged": found})
        return DIFFERENT if found else SAME
    for damage in found:
        show(damage)
    if found:
        say(f"simulate again what they held: {hint('resume', handle.id, handle.store.label)}")
    show_words(f"{len(found)} files of run {handle.id} are not what was stored" if found else
          f"all that is stored of run {handle.id} is what was stored")  # fmt: skip
    return DIFFERENT if found else SAME


def check(chosen: argparse.Namespace) -> int:
    from replicast.asking.preparation import Preparation
    from replicast.verifying.checking import check_model, no_tick

    with Preparation(request_from(chosen), stores=False) as preparation:
        report = check_model(preparation, no_tick if chosen.json else Waiting())
        signature, experiment = preparation.signature, preparation.experiment
    first = report.first
    if chosen.json:
        print_json({
            "model": experiment.model.label, "ok": not report.problems, "problems": report.problems,
            "notes": report.notes, "metrics": first.metrics(), "seconds": first.ledger["seconds"],
            "parameters": [{"name": p.name, "type": p.type, "default": p.default} for p in signature.parameters],
            "tables": {n: {c: str(t) for c, t in f.schema.items()} for n, f in first.tables.items() if n != "metrics"},
        })  # fmt: skip
        return DIFFERENT if report.problems else SAME
    _print_signature(signature)
    _print_result(first)
    for note in report.notes:
        say_note(note)
    for problem in report.problems:
        show_words(f"PROBLEM: {problem}")
        if first.failed and first.ledger["traceback"]:
            say(first.ledger["traceback"].rstrip())
    if not report.problems:
        show_words(
            "the same seed gives the same result, in another process, folder, time zone and order; no two are equal"
        )
    return DIFFERENT if report.problems else SAME


class Waiting:
    """Says now and then, each time after a longer while, that it goes on."""

    def __init__(self) -> None:
        self._began, self._next = time.monotonic(), FIRST_WORD_SECONDS

    def __call__(self) -> None:
        waited = time.monotonic() - self._began
        if waited >= self._next:
            self._next *= 2
            say_words(f"checking for {duration(waited)}: five replications are simulated")


def _print_signature(signature: Any) -> None:
    for parameter in signature.parameters:
        default = (
            "no default"
            if parameter.required
            else "default " + ("?" if parameter.default is None else repr(parameter.default))
        )
        show_words(f"parameter {parameter.name} ({parameter.type}, {default})")
    if signature.takes_any:
        show("takes any further parameter")


def _print_result(first: Any) -> None:
    metrics = first.metrics()
    if metrics:
        kinds = {int: "integer", float: "double", bool: "logical", type(None): "missing"}
        rows = [[n, kinds.get(type(v), "?"), repr(v)] for n, v in list(metrics.items())[:SHOWN_METRICS]]
        print_table(["metric", "type", "replication 1"], rows, names=(0,))
    for name, frame in first.tables.items():
        if name != "metrics":
            columns = ", ".join(
                f"{c} {str(t).lower()}" for c, t in frame.schema.items() if c not in ("scenario", "replication")
            )
            show_words(f"table {name}: {len(frame):,} rows of {columns}")
    show(f"one replication took {number(first.ledger['seconds'])} s")
    if first.ledger["warning_count"]:
        say_words(f"{first.ledger['warning_count']} warnings, the first: {first.ledger['warnings'].splitlines()[0]}")
