"""Commands and options, as DESIGN's contract names them, and the way from an argument list to a command."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from replicast.core.commands import USUAL_STORE
from replicast.core.errors import RequestError
from replicast.core.version import __version__

from . import aws_arguments, result_arguments, study_arguments
from .help import examples
from .parser import Add, Parser, Unbuilt, add_replications

PLACES = "local, serial, slurm, dask[://HOST:PORT], aws[://STACK], or a plug-in's"
RUN = "a run's ID, a unique beginning of one, or 'latest' (default: latest)"
EPILOGUE = """\
examples:
  replicast run model.py -n 100 --seed 42 -o results      a model to its tables, on all cores
  replicast run model.R -n 100 --param beds=12            an R model with another parameter value
  replicast resume latest -n 1000                         900 more of the same
  replicast summary latest                                means with confidence intervals

exit status: 0 done; 1 replications or collate failed, or a difference was found; 2 the request is wrong;
3 the executor or the store failed; 4 the precision asked for was not reached; 130 interrupted
"""


def parse(arguments: Sequence[str]) -> int:
    """Runs the command that the arguments name. Raises RequestError for arguments that fit none."""
    arguments, command = _split_command(arguments)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    wanted = next((one for one in arguments if not one.startswith("-")), "")
    parser, commands = build_parser(plug_ins=bool({"-h", "--help"} & set(arguments)), wanted=wanted)
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    chosen, rest = parser.parse_known_args(arguments)
    if rest:  # which a plug-in may know: looking for plug-ins takes too long to be done for every command
        parser, commands = build_parser(plug_ins=True, wanted=wanted)
        chosen, rest = parser.parse_known_args(arguments)
    if rest:
        commands.get(chosen.command, parser).error("unrecognized arguments: " + " ".join(rest))
    if command and chosen.command != "run":
        raise RequestError("only `run` takes a command after '--'")
    chosen.command_model = command
    return _act(chosen)


def _act(chosen: argparse.Namespace) -> int:
    from replicast.asking.settings import default_store

    module, _, function = chosen.action.partition(":")
    act: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"replicast.cli.{module}"), function)
    usual = USUAL_STORE.set(default_store())
    try:
        return act(chosen)
    finally:
        USUAL_STORE.reset(usual)


def _split_command(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    given = list(arguments)
    if given[:1] == ["run"] and "--" in given:
        at = given.index("--")
        return given[:at], given[at + 1 :]
    return given, []


def build_parser(*, plug_ins: bool = False, wanted: str | None = None) -> tuple[Parser, dict[str, Parser]]:
    """The parser, and those of its commands by name: of all, or of the `wanted` one alone, beside the others' names."""

    def one_made(**options: Any) -> Any:
        return Parser(**options) if wanted is None or options["prog"].endswith(f" {wanted}") else Unbuilt()

    made: Any = one_made  # what argparse wants to be a class
    parser = Parser(
        prog="replicast",
        description="N replications of any simulation model, in parallel; every result kept, every number reproducible",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"replicast {__version__}")
    group = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=made)
    commands: dict[str, Parser] = {}

    def add(name: str, action: str, text: str) -> Parser:
        commands[name] = group.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False, epilog=examples(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        commands[name].set_defaults(action=action)
        commands[name].add_argument("--json", action="store_true", help="print the result as JSON")
        return commands[name]

    _add_run(add("run", "start:run", "run N replications of a model and summarise them"))
    _add_resume(add("resume", "run_commands:resume", "compute what is missing of a run, or more of it"))
    for name in ("run", "resume"):
        if wanted in (None, name):
            from .place_options import add_place_options

            add_place_options(commands[name], plug_ins=plug_ins)
    _add_looking(add)
    result_arguments.add_results(add, _run_argument, _confidence, _top, _control)
    study_arguments.add_studies(add, _run_and_confidence)
    _add_checking(add)
    _add_stores(add)
    aws_arguments.add_commands(add, _add_model)
    return parser, commands


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", metavar="URL", help="where runs live: a folder, s3://…, postgresql://… (default: runs)"
    )


def _run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help=RUN)
    _store(parser)


def _run_and_confidence(parser: argparse.ArgumentParser) -> None:
    _run_argument(parser)
    _confidence(parser)


def _add_model(parser: argparse.ArgumentParser, *, optional: bool) -> None:
    text = "model.py[:function], model.R[:function] or package.module:function"
    parser.add_argument("model", metavar="MODEL", nargs="?" if optional else None, help=text)
    parser.add_argument("--param", action="append", default=[], metavar="K=V", help="a parameter, for every scenario")
    parser.add_argument(
        "--scenario", action="append", default=[], metavar="NAME:K=V,K=V", help="a named set of parameter values"
    )
    parser.add_argument("--grid", action="append", default=[], metavar="K=V1,V2", help="full factorial over values")
    parser.add_argument("--design", metavar="FILE.csv", help="a scenario for each row, a parameter for each column")
    parser.add_argument("--experiment", metavar="F.toml", help="an experiment file; options given here go before it")
    parser.add_argument("--seed", type=int, help="decides all random numbers (default: chosen and recorded)")
    parser.add_argument("--streams", metavar="KIND", help="parallel (default), future, doRNG or own")
    parser.add_argument(
        "--antithetic", action="store_true", default=None, help="replications in pairs, the second mirrors the first"
    )
    parser.add_argument("--project", metavar="DIR", help="the folder that travels with the model (default: its own)")
    parser.add_argument(
        "--keep",
        metavar="rds,files",
        help="also keep what an R model returned, whole (rds), and the files that a function writes (files)",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_model(parser, optional=True)
    parser.usage = "replicast run MODEL [-n N] [--seed S] [options]\n       replicast run [options] -- COMMAND ARG..."
    add_replications(parser, "replications of each scenario (default: 10)")
    parser.add_argument("--on", default="local", metavar="PLACE", help=f"{PLACES} (default: local)")
    parser.add_argument("--workers", type=int, metavar="W", help="processes at once (default: all cores)")
    _store(parser)
    parser.add_argument("--name", metavar="ID", help="the run's ID; the same name again goes on with the same run")
    parser.add_argument("--memory", metavar="2GB", help="of a worker with all that it starts; more is a failure")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="of one replication")
    parser.add_argument("--retries", type=int, metavar="K", help="of a replication whose process died (default: 1)")
    parser.add_argument("--tolerate", metavar="5%|COUNT", help="failures that are no failure of the run (default: 0)")
    parser.add_argument("--precision", metavar="METRIC=5%", help="run until the interval's half-width is that small")
    parser.add_argument("--max", type=int, dest="maximum", metavar="N", help="with --precision, --select: at most N")
    parser.add_argument(
        "--look-ahead", type=int, metavar="K", help="with --precision: K more must not undo it (default: 5)"
    )
    parser.add_argument(
        "--select", metavar="METRIC=lower", help="find the best scenario: the others get no more replications"
    )
    parser.add_argument(
        "--indifference", type=float, metavar="D", help="with --select: a difference that is too small to matter"
    )
    parser.add_argument("--budget", type=int, metavar="N", help="with --select, instead: N replications in all")
    _control(parser, "a metric whose true mean is known, by which the others are adjusted (repeatable)")
    parser.add_argument("--collate", metavar="FILE[:FUNCTION]", help="the model's own collation")
    parser.add_argument("-o", "--output", metavar="DIR", help="also collate to DIR")
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    parser.add_argument("--quiet", action="store_true", help="no progress and no messages")


def _trust(parser: Parser) -> None:
    parser.add_argument(
        "--trust", action="store_true", help="run the code of a run that someone else made, or made elsewhere"
    )


def _add_resume(resume: Parser) -> None:
    _run_argument(resume)
    add_replications(resume, "replications of each scenario in all")
    resume.add_argument("--on", metavar="PLACE", help=f"{PLACES} (default: where it was)")
    resume.add_argument("--retry-failed", action="store_true", help="try failed replications again")
    resume.add_argument("--join", action="store_true", help="share the work with whoever is at work on it")
    resume.add_argument(
        "--accept-changes", action="store_true", help="go on though the model's packages, outside code or copy changed"
    )
    _trust(resume)
    resume.add_argument("--workers", type=int, metavar="W", help="processes at once (default: all cores)")
    resume.add_argument("-o", "--output", metavar="DIR", help="also collate to DIR")
    resume.add_argument("--quiet", action="store_true", help="no progress and no messages")


def _add_looking(add: Add) -> None:
    status = add("status", "look_commands:status", "say how a run stands")
    _run_argument(status)
    status.add_argument("--watch", action="store_true", help="until nobody is at work on it")
    listed = add("list", "look_commands:list_runs", "list the runs of a store")
    _store(listed)
    listed.add_argument("--tag", action="append", default=[], metavar="T", help="only runs with this tag (repeatable)")
    listed.add_argument("--top", type=at_least_one, metavar="K", help="the newest K runs only")
    _run_argument(add("cancel", "look_commands:cancel", "stop a run; what is stored stays"))
    _add_summary(add)
    _add_collate(add)
    artefacts = add("artefacts", "artefact_command:artefacts", "fetch the files that replications left to a folder")
    _run_argument(artefacts)
    artefacts.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder to write to")
    artefacts.add_argument("--scenario", metavar="NAME", help="default: all, each to a folder of its name")
    artefacts.add_argument("--name", default="", metavar="FILE", help="only files of that name, such as result.rds")
    failures = add("failures", "look_commands:failures", "show what failed, with the model's own tracebacks")
    _run_argument(failures)
    _top(failures)
    failures.add_argument("--csv", action="store_true", help="print the failures as CSV")
    warnings = add("warnings", "warning_command:warnings", "show what replications warned of")
    _run_argument(warnings)
    _top(warnings)
    warnings.add_argument("--csv", action="store_true", help="print the warnings as CSV")


def _add_summary(add: Add) -> None:
    summary = add("summary", "look_commands:summary", "means, intervals and quartiles of each metric and scenario")
    _run_argument(summary)
    _confidence(summary)
    _top(summary)
    summary.add_argument("--csv", action="store_true", help="print the summary as CSV")
    summary.add_argument("--needed", metavar="5%|0.5", help="how many replications that half-width would take, instead")
    summary.add_argument("--quantiles", metavar="P,P", help="quantiles with their intervals, instead: 0.5,0.9")
    summary.add_argument(
        "--proportions", nargs="?", const="", metavar="M,M", help="booleans (and these 0/1 counts) as shares, instead"
    )
    summary.add_argument(
        "--ratio", action="append", default=[], metavar="A/B", help="ratio of two metrics' means, instead (repeatable)"
    )
    summary.add_argument(
        "--pooled", action="append", default=[], metavar="TABLE.COLUMN:p95",
        help="mean, median or percentile of all rows together, instead (repeatable)",
    )  # fmt: skip
    _control(summary, "means adjusted by a metric whose true mean is known, instead (repeatable)")


def _add_collate(add: Add) -> None:
    collate = add("collate", "look_commands:collate", "write every table of a run, all replications in one file")
    _run_argument(collate)
    collate.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder to write to")
    collate.add_argument("--format", default="csv", metavar="csv|parquet|xlsx", help="default: csv")
    collate.add_argument(
        "--spreadsheet-safe", action="store_true", help="CSV: an apostrophe before texts that a spreadsheet would run"
    )
    _trust(collate)
    collate.add_argument("--table", action="append", default=[], metavar="NAME", help="only this table (repeatable)")


def _control(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--control", action="append", default=[], metavar="METRIC=MEAN", help=text)


def at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes 1 or more, and '{text}' is not")
    return int(text)


def _top(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--top", type=at_least_one, metavar="K", help="show the first K rows only")


def _confidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--confidence", type=float, default=0.95, metavar="C", help="of the intervals (default: 0.95)")


def _add_stores(add: Add) -> None:
    ui = add("ui", "ui_command:ui", "show a store's runs, live, on a page that only this machine can open")
    ui.add_argument("store", nargs="?", metavar="STORE", help="a folder, s3://…, postgresql://… (default: runs)")
    ui.add_argument("--port", type=int, default=0, metavar="P", help="on 127.0.0.1 (default: any that is free)")
    tag = add("tag", "keep_commands:tag", "give a run words to find it by")
    _run_argument(tag)
    tag.add_argument("tag", nargs="+", metavar="TAG", help="a word, such as paper")
    tag.add_argument("--remove", action="store_true", help="take these tags away instead")
    note = add("note", "keep_commands:note", "keep a sentence about a run")
    _run_argument(note)
    note.add_argument("text", metavar="TEXT", help="in the place of an earlier note; '' takes it away")
    delete = add("delete", "keep_commands:delete", "remove a run and all its results for good")
    delete.add_argument("run", metavar="RUN", help="a run's ID, a unique beginning of one, or 'latest'")
    _store(delete)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    copy = add("copy", "store_commands:copy", "copy a run to another store and verify it by content")
    copy.add_argument("run", nargs="?", default="latest", metavar="RUN", help=RUN)
    copy.add_argument("--from", required=True, dest="source", metavar="URL", help="the store that has the run")
    copy.add_argument("--to", required=True, dest="target", metavar="URL", help="the store to copy it to")
    sql = add("sql", "store_commands:sql", "ask a run in SQL: its metrics, replications, scenarios, summary and tables")
    _run_argument(sql)
    sql.add_argument("query", metavar="QUERY", help='for instance "select scenario, avg(wait) from metrics group by 1"')
    _top(sql)
    sql.add_argument("--csv", action="store_true", help="print the answer as CSV")


def _add_checking(add: Add) -> None:
    replay = add(
        "replay", "check_commands:replay", "simulate one replication again, here, and compare it with the stored one"
    )
    _run_argument(replay)
    replay.add_argument("replication", type=int, metavar="REPLICATION", help="its number, from 1")
    replay.add_argument("--scenario", metavar="NAME", help="default: the only one, or the first")
    replay.add_argument("--snippet", metavar="FILE.R", help="R models: write the lines that do it in an R session")
    _trust(replay)
    replay.add_argument("--pdb", action="store_true", help="Python models: stop in the debugger where it fails")
    verify = add("verify", "check_commands:verify", "simulate a sample of replications again and compare them")
    _run_argument(verify)
    which = verify.add_mutually_exclusive_group()
    which.add_argument("--sample", type=int, default=5, metavar="K", help="replications of each scenario (default: 5)")
    which.add_argument("--stored", action="store_true", help="check what is stored by its digests; simulate nothing")
    _trust(verify)
    verify.add_argument("--workers", type=int, metavar="W", help="processes at once (default: all cores)")
    verify.add_argument("--on", metavar="PLACE", help="the run is in the store of this place, as of aws")
    made = add(
        "environment", "environment_command:environment", "print what it takes to build a run's environment again"
    )
    _run_argument(made)
    check = add("check", "check_commands:check", "find out whether a model gives the same result for the same seed")
    _add_model(check, optional=True)
    init = add("init", "init_command:init", "write a first model and an experiment.toml to a folder")
    init.add_argument("folder", nargs="?", default=".", metavar="DIR", help="default: this folder")
    kind = init.add_mutually_exclusive_group()
    kind.add_argument("--r", action="store_true", help="a model in R")
    kind.add_argument("--python", action="store_true", help="a model in Python (default)")
    completion = add("completion", "completion_command:completion", "print what a shell completes commands with")
    completion.add_argument("shell", metavar="SHELL", help="bash, zsh, tcsh or fish")
    doctor = add("doctor", "doctor_command:doctor", "say what of replicast works on this machine")
    _store(doctor)
