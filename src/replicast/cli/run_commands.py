"""`run` and `resume`: from a model to its summary."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.core.commands import command as hint
from replicast.core.errors import CollationError, ExecutorError, RequestError, StoreError
from replicast.core.progress import Conclusion, Ending, Interrupted
from replicast.core.record import RunRecord
from replicast.core.spoken import counted

from .place_options import place_options
from .precision_lines import precision_document, precision_lines, selection_document, selection_lines
from .progress import screen_for
from .screen import duration, number, print_json, print_summary, say, say_note, say_words
from .source_lines import edited_line, source_lines
from .trust import check_trust
from .values import add_values, check_output, grid_values, named_scenario, one_key_value

if TYPE_CHECKING:
    from replicast.asking.preparation import Preparation
    from replicast.executors.pool import Pool
    from replicast.reporting.collate import Collated

STAYS = "what was stored stays"
MOST_ON_A_TERMINAL, FIRST_OF_MANY = 100, 20
"""Rows of a summary that a terminal is given when a run ends, and how many of them where there are more."""

DONE, TOO_MANY_FAILED, NOT_PRECISE, INTERRUPTED = 0, 1, 4, 130


def request_from(chosen: argparse.Namespace) -> Any:
    """The Request of a command line. Raises RequestError."""
    from replicast.asking.request import Request
    from replicast.asking.settings import read_experiment_file

    parameters: dict[str, Any] = {}
    grid: dict[str, Any] = {}
    for text in chosen.param:
        add_values(parameters, one_key_value(text, "--param"), "--param")
    for text in chosen.grid:
        add_values(grid, grid_values(text), "--grid")
    scenarios = dict(named_scenario(text) for text in chosen.scenario)
    if len(scenarios) < len(chosen.scenario):
        raise RequestError("two --scenario have the same name")
    own: dict[str, Any] = {name: getattr(chosen, name, None) for name in
           ("replications", "seed", "design", "streams", "antithetic", "keep", "collate", "name", "retries", "tolerate",
            "precision", "maximum", "look_ahead", "select", "indifference", "budget",
            "workers", "project", "memory")}  # fmt: skip
    if control := getattr(chosen, "control", []):
        from replicast.core.controls import parse_controls

        own["control"] = parse_controls(control)
    return Request(
        model=chosen.model, command=getattr(chosen, "command_model", ()),
        parameters=parameters, scenarios=scenarios, grid=grid,
        timeout_seconds=getattr(chosen, "timeout", None),
        file=read_experiment_file(Path(chosen.experiment)) if chosen.experiment else None, **own,
    )  # fmt: skip


def run(chosen: argparse.Namespace, pool: Pool) -> int:
    """Carries out `replicast run` with a pool whose processes are starting already, see `start`."""
    from replicast.asking.preparation import Preparation
    from replicast.places.kinds import AtHand
    from replicast.runs import Run

    check_output(chosen)
    quiet = chosen.quiet or chosen.json
    screen = screen_for(quiet=quiet)
    output = Path(chosen.output) if chosen.output else None
    at_hand = AtHand(chosen.workers, pool=pool, output=output, tell=ignore if quiet else say)
    with Preparation(
        request_from(chosen), on=chosen.on, options=place_options(chosen, chosen.on), store_url=chosen.store,
        without=[output] if output else [], at_hand=at_hand,
    ) as preparation:  # fmt: skip
        record = preparation.create()
        screen.precision = record.options.precision
        if not quiet:
            _announce(record, is_new=preparation.is_new)
            for line in source_lines(preparation.source):
                say_words(line)
            for damage in preparation.damage:
                say_words(f"damaged, and simulated again: {damage}")
            if why := preparation.store.reach():
                say_note(f"its results are kept where they cannot be reached from here: {why}")
        if chosen.detach:
            return _detach(preparation, chosen)
        started = time.monotonic()
        try:
            conclusion = preparation.conduct(screen.show)
        except Interrupted as interruption:
            screen.close()
            return _interrupted(record, interruption.conclusion, preparation.store.label, chosen)
        except (ExecutorError, StoreError):
            screen.close()
            again = hint("resume", record.id, preparation.store.label)
            stays = f"what {preparation.place.name} has started goes on" if preparation.place.goes_on else STAYS
            say(f"{stays}; go on with: {again}")
            raise
        finally:
            screen.close()
        handle = Run(preparation.store, record.id)
    return _finish(handle, conclusion, chosen, time.monotonic() - started)


def ignore(_line: str) -> None:
    """For what nobody wants to read."""


def resume(chosen: argparse.Namespace) -> int:
    from replicast.asking.settings import default_store
    from replicast.core.record import check_replications
    from replicast.runs import Run

    if chosen.replications is not None:
        check_replications(chosen.replications)
    if chosen.workers is not None and chosen.workers < 1:
        raise RequestError(f"--workers takes 1 or more, and {chosen.workers} is not")
    check_output(chosen)
    handle = Run(chosen.store or default_store(), chosen.run)
    check_trust(handle.record, chosen)
    if not chosen.quiet and (edited := handle.edited()):
        say_words(edited_line(edited))
    options = place_options(chosen, chosen.on or handle.record.place)
    screen = screen_for(quiet=chosen.quiet or chosen.json)
    screen.precision = handle.record.options.precision
    started = time.monotonic()
    try:
        conclusion = handle.resume(
            chosen.replications,
            on=chosen.on,
            options=options,
            retry_failed=chosen.retry_failed,
            workers=chosen.workers,
            watch=screen.show,
            join=chosen.join,
            accept_changes=chosen.accept_changes,
        )
    except Interrupted as interruption:
        screen.close()
        return _interrupted(handle.record, interruption.conclusion, handle.store.label, chosen)
    finally:
        screen.close()
    for damage in handle.mended:
        say_words(f"damaged, and simulated again: {damage}")
    return _finish(handle, conclusion, chosen, time.monotonic() - started)


def _announce(record: RunRecord, *, is_new: bool) -> None:
    experiment = record.experiment
    scenarios = f" of {len(experiment.scenarios)} scenarios" if len(experiment.scenarios) > 1 else ""
    goal = f" or more, until {record.options.precision}" if record.options.precision else ""
    goal = f" or more, to select {record.options.select}" if record.options.select else goal
    say_words(f"{'run' if is_new else 'going on with run'} {record.id}: {experiment.model.label}, "
        f"{counted(record.replications, 'replication')}{scenarios}{goal}, seed {experiment.seed}")  # fmt: skip


def _detach(preparation: Preparation, chosen: argparse.Namespace) -> int:
    """Leaves the run to its place."""
    record, store = preparation.record, preparation.store
    left_with = preparation.place.leave(record, store)
    if chosen.json:
        print_json({"run": record.id, "state": "detached", "left_with": left_with, "store": store.label})
    else:
        print(record.id)
        say(f"{left_with} goes on with it; look with: {hint('status', record.id, store.label, '--watch')}")
    return DONE


def _interrupted(record: RunRecord, conclusion: Conclusion, store: str, chosen: argparse.Namespace) -> int:
    planned = sum(conclusion.planned.values())
    say(f"\ninterrupted: {conclusion.done:,} of {planned:,} replications are stored")
    say(f"go on with: {hint('resume', record.id, store)}")
    if chosen.json:
        print_json({
            "run": record.id, "store": store, "state": "interrupted", "planned": planned, "done": conclusion.done,
            "failed": conclusion.failed, "simulated": conclusion.simulated, "seed": record.experiment.seed,
        })  # fmt: skip
    return INTERRUPTED


def _finish(handle: Any, conclusion: Conclusion, chosen: argparse.Namespace, seconds: float) -> int:
    handle.keep_summary()
    summary = handle.final_summary()
    if summary.rows and not chosen.json:
        many = len(summary.rows) > MOST_ON_A_TERMINAL and sys.stdout.isatty()
        print_summary(summary, confidence=0.95, top=FIRST_OF_MANY if many else None)
        if many:
            say(f"all of them: {hint('summary', handle.id, handle.store.label)}")
        if handle.record.options.control:
            from .estimate_tables import print_own_controlled

            print_own_controlled(handle, 0.95)
    planned = sum(conclusion.planned.values())
    allowed = handle.record.options.tolerance.allows(conclusion.failed, planned)
    good = allowed and conclusion.ending is Ending.DONE
    collated = _collated(handle, chosen.output, good=good)
    judgements, selection = handle.precision(), handle.selection()
    met = all(one.state == "met" for one in (*judgements.values(), *([selection] if selection else [])))
    if chosen.json:
        ended = {
            "precision": precision_document(handle.record, judgements),
            "selection": selection_document(handle.record, selection),
        }
        print_json(_document(handle, conclusion, collated, ended, seconds))
    else:
        for note in dict.fromkeys([*summary.notes, *(collated.notes if collated else [])]):
            say_note(note)
        for line in [*precision_lines(handle.record, judgements), *selection_lines(handle.record, selection)]:
            say_words(line)
        if not chosen.quiet:
            _say_what_was_done(handle, conclusion, collated, chosen, seconds)
        if conclusion.failed or not good:
            _explain(handle, conclusion, planned, allowed=allowed)
    return TOO_MANY_FAILED if not good else DONE if met else NOT_PRECISE


def _collated(handle: Any, output: str | None, *, good: bool) -> Collated | None:
    """Raises CollationError for the model's own collation where the run is as wished; else it is only said."""
    if not output:
        return None
    try:
        found: Collated = handle.final_collate(output)
    except CollationError as error:
        if good:
            raise
        say_words(f"the model's own collation failed too: {error}")  # why the run is not as wished comes below
        return None
    return found


def _document(
    handle: Any, conclusion: Conclusion, collated: Collated | None, ended: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    record, summary = handle.record, handle.final_summary()
    return {
        "run": record.id, "store": handle.store.label, "state": conclusion.ending.value,
        "planned": sum(conclusion.planned.values()), "done": conclusion.done, "failed": conclusion.failed,
        "simulated": conclusion.simulated, "seed": record.experiment.seed, "seconds": round(seconds, 3),
        "summary": summary.to_dicts(), "distinct": {name: copies.distinct for name, copies in summary.distinct.items()},
        **ended, "notes": summary.notes,
        "files": {name: str(path) for name, path in collated.files.items()} if collated else {},
    }  # fmt: skip


def _say_what_was_done(
    handle: Any, conclusion: Conclusion, collated: Collated | None, chosen: argparse.Namespace, seconds: float
) -> None:
    from replicast.reporting.noted import checking

    record = handle.record
    if conclusion.failed < conclusion.done and not handle.final_summary().looked_again:
        say(f"not checked: {checking(record, handle.store.label, _from_here(record, chosen))}")
    rate = f" ({number(conclusion.simulated / seconds)}/s)" if conclusion.simulated else ""
    say(f"{counted(conclusion.simulated, 'replication')} in {duration(seconds)}{rate}")
    say(f"run {record.id} in {handle.store.label}")
    for name, path in collated.files.items() if collated else ():
        rows = f"  {collated.rows[name]:,} rows" if collated and name in collated.rows else ""
        say(f"  {path}{rows}")


def _from_here(record: RunRecord, chosen: argparse.Namespace) -> str:
    """The model as a command in this folder names it: as it was typed, or beside the experiment file."""
    label, experiment = record.experiment.model.label, getattr(chosen, "experiment", None)
    return getattr(chosen, "model", None) or (str(Path(experiment).parent / label) if experiment else label)


def _explain(handle: Any, conclusion: Conclusion, planned: int, *, allowed: bool) -> None:
    """Why the run is not as wished: the first failure whole, and what to do next."""
    store = handle.store.label
    if conclusion.ending is Ending.CANCELLED:
        say(f"cancelled: {conclusion.done:,} of {planned:,} replications are stored; "
            f"go on with: {hint('resume', handle.id, store)}")  # fmt: skip
    if conclusion.ending is Ending.HOPELESS:
        tried = "the one replication" if conclusion.failed == 1 else f"all {conclusion.failed:,} replications"
        say_words(f"stopped early: {tried} that {'was' if conclusion.failed == 1 else 'were'} tried failed")
    if not conclusion.failed:
        return
    from replicast.asking.missing import remedy

    first, record = next(iter(handle.failures())), handle.record
    which = f"replication {first['replication']} of scenario '{first['scenario']}'"
    say_words(f"\n{which} failed: {first['error_type']}: {first['error']}")
    if first["traceback"]:
        say("--- the model's own traceback ---\n" + first["traceback"].rstrip() + "\n---")
    elif first["log"].strip():
        say("--- the end of its log ---\n" + first["log"].rstrip()[-2000:] + "\n---")
    told = "\n".join(str(first[part]) for part in ("error", "traceback", "log"))
    if advice := remedy(told, record.project, record.left_out, record.files):
        say(advice)
    scenario = ["--scenario", first["scenario"]] if len(handle.record.experiment.scenarios) > 1 else []
    say(f"again, here: {hint('replay', handle.id, store, first['replication'], *scenario)}")
    verdict = "within --tolerate" if allowed else "more than --tolerate allows"
    say(f"{conclusion.failed:,} of {planned:,} replications failed ({verdict})")
    say(f"all failures: {hint('failures', handle.id, store)}")
