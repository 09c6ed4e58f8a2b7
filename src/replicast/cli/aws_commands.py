"""`replicast aws …` and `replicast estimate`: the stack in an account, and what a run there would take."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from replicast.core.errors import RequestError

from .aws_estimate import PILOT
from .parser import Add, Parser
from .screen import print_json, say, say_note

if TYPE_CHECKING:
    from replicast.aws.access import Aws
    from replicast.aws.commands import GivenModel

ModelOptions = Callable[..., None]
DONE = 0


def add_commands(add: Add, add_model: ModelOptions) -> None:
    """Adds `aws` and `estimate`; `add_model` adds the options that say which model, as `run` has them."""
    aws = add("aws", "aws_commands:no_deed", "deploy, look at and remove the stack in an AWS account")
    deeds = aws.add_subparsers(dest="deed", metavar="DEED", parser_class=Parser)

    def deed(name: str, text: str) -> Parser:
        parser: Parser = deeds.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
        )
        parser.set_defaults(action=f"aws_commands:{name}")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        _add_place(parser)
        return parser

    for name, text in (
        ("deploy", "create the stack, or bring it up to date"),
        ("update", "bring the stack up to date"),
    ):
        _add_contents(deed(name, text), add_model)
    _add_contents(deed("image", "build the container image, push it and use it"), add_model)
    deed("status", "say how the stack stands and what runs there")
    destroy = deed("destroy", "remove the stack; results stay")
    destroy.add_argument("--results", action="store_true", help="remove the bucket with all runs too")
    destroy.add_argument("--yes", action="store_true", help="do not ask")
    logs = deed("logs", "show what the functions logged")
    logs.add_argument("--function", action="append", default=[], metavar="NAME", help="plan, simulate or collate")
    logs.add_argument("--minutes", type=float, default=60.0, metavar="M", help="how far back (default: 60)")
    sandbox = deed("sandbox", "start an emulator of AWS on this machine, to try everything at no cost")
    sandbox.add_argument("--port", type=int, default=4566, metavar="P", help="on 127.0.0.1 (default: 4566)")
    sandbox.add_argument("--images", action="store_true", help="run image functions too: needs Docker and pip's docker")
    estimate = add("estimate", "aws_estimate:estimate", "run a pilot and say what a run on AWS would take and cost")
    add_model(estimate, optional=True)
    estimate.add_argument("-n", "--replications", type=int, metavar="N", help="replications of each scenario")
    estimate.add_argument("--on", default="aws", metavar="WHERE", help="aws (default)")
    estimate.add_argument(
        "--pilot", type=int, default=PILOT, metavar="K", help=f"replications tried here (default: {PILOT})"
    )
    estimate.add_argument("--max-cost", type=float, metavar="DOLLARS", help="exit with 2 if it would cost more")
    estimate.add_argument("--memory", type=int, metavar="MB", help="of a function (default: from the pilot)")
    estimate.add_argument("--concurrency", type=int, metavar="C", help="functions at once (default: 1000)")
    estimate.add_argument("--architecture", default="arm64", metavar="A", help="arm64 (default) or x86_64")
    estimate.add_argument("--region", metavar="R", help="default: that of the AWS configuration, else us-east-1")


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="replicast", metavar="NAME", help="default: replicast")
    parser.add_argument("--region", metavar="R", help="default: that of the AWS configuration")
    parser.add_argument("--profile", metavar="P", help="a profile of the AWS configuration")


def _add_contents(parser: Parser, add_model: ModelOptions) -> None:
    add_model(parser, optional=True)
    parser.add_argument(
        "-n",
        "--replications",
        type=int,
        dest="replications",
        metavar="N",
        help="replications when started by hand with {}",
    )
    parser.add_argument(
        "--package", default="zip", metavar="zip|image", help="zip (default) needs no Docker; R needs image"
    )
    parser.add_argument("--requirement", action="append", default=[], metavar="P", help="a Python package (repeatable)")
    parser.add_argument("--r-package", action="append", default=[], metavar="P", help="an R package (repeatable)")
    parser.add_argument(
        "--renv-lock",
        metavar="FILE",
        help="R packages in the versions of an renv.lock (default: the one beside the model; none: without)",
    )
    parser.add_argument("--runtime", metavar="python3.N", help="default: as here")
    parser.add_argument("--architecture", metavar="A", help="arm64 (default) or x86_64")
    parser.add_argument("--memory", type=int, metavar="MB", help="of a function (default: 1769, one processor)")
    parser.add_argument("--collate-memory", type=int, metavar="MB", help="of the collating function (default: 3008)")
    parser.add_argument("--log-days", type=int, metavar="D", help="how long logs are kept (default: 30)")
    parser.add_argument(
        "--permissions-boundary", metavar="ARN", dest="boundary", help="the policy that bounds the stack's roles"
    )
    parser.add_argument(
        "--tag", action="append", default=[], metavar="KEY=VALUE", help="of all that the stack has (repeatable)"
    )
    parser.add_argument("--kms-key", metavar="KEY", help="encrypt the bucket with this key; none: with S3's own")
    parser.add_argument("--schedule", metavar='"cron(…)"', help="start a run then, in UTC; none: no more")
    parser.add_argument("--schedule-input", metavar="JSON", help="what it is started with (default: {})")
    parser.add_argument(
        "--alarm", action=argparse.BooleanOptionalAction, default=None, help="an alarm of CloudWatch on failed runs"
    )
    parser.add_argument("--alarm-email", metavar="ADDRESS", help="who is told of it; none: nobody")
    parser.add_argument("--scratch", type=int, metavar="MB", help="of a function's /tmp (default: 2048)")
    parser.add_argument(
        "--seconds", type=int, metavar="S", help="a function's timeout (default: 900, the most there is)"
    )
    parser.add_argument("--concurrency", type=int, metavar="C", help="functions at once (default: 1000)")
    parser.add_argument(
        "--batch", action="store_true", default=None, help="with AWS Batch, for replications that no function can hold"
    )
    parser.add_argument(
        "--batch-processors", type=int, metavar="P", help="of all tasks at once, at most (default: 1000)"
    )
    parser.add_argument(
        "--batch-subnet", action="append", default=[], metavar="ID", help="run tasks in this subnet (repeatable)"
    )
    parser.add_argument(
        "--batch-private", action="store_true", help="those subnets are private, with endpoints of S3, ECR and logs"
    )
    parser.add_argument(
        "--database", metavar="postgres|mysql|none", help="make a database, and keep results there; none: in the bucket"
    )
    parser.add_argument("--database-size", metavar="CLASS", help="of the database (default: db.t4g.small)")
    parser.add_argument("--proxy", action="store_true", help="with --database: an RDS Proxy before it")
    parser.add_argument(
        "--database-url-secret", metavar="ARN", help="keep results in the database whose URL this secret holds"
    )
    parser.add_argument(
        "--subnet", action="append", default=[], metavar="ID", help="run functions in this subnet (repeatable)"
    )
    parser.add_argument(
        "--security-group", action="append", default=[], metavar="ID", help="of functions in --subnet (repeatable)"
    )


def no_deed(_chosen: argparse.Namespace) -> int:
    raise RequestError("what is to be done? replicast aws deploy, update, status, logs, image, destroy or sandbox")


def _aws(chosen: argparse.Namespace) -> Aws:
    from replicast.aws.access import Aws

    return Aws(chosen.region, chosen.profile)


def deploy(chosen: argparse.Namespace) -> int:
    from replicast.aws.batch import WantedBatch
    from replicast.aws.commands import Contents
    from replicast.aws.commands import deploy as deploy_stack
    from replicast.aws.database import Wanted
    from replicast.aws.operation import Operation, tags_of
    from replicast.aws.renv import find_lock
    from replicast.aws.stack import Settings

    if chosen.package not in ("zip", "image"):
        raise RequestError(f"--package takes zip or image, not '{chosen.package}'")
    wanted = Wanted(
        chosen.database, chosen.database_size, chosen.proxy, chosen.database_url_secret,
        tuple(chosen.subnet), tuple(chosen.security_group),
    )  # fmt: skip
    wanted.check()
    batch = WantedBatch(chosen.batch, chosen.batch_processors, tuple(chosen.batch_subnet), chosen.batch_private)
    batch.check(chosen.package, database=bool(chosen.database not in (None, "none") or chosen.database_url_secret))
    model = _model(chosen)
    language = model.record.experiment.model.language if model else "python"
    if language == "r" and chosen.package == "zip":
        raise RequestError("R does not run in a zip package; deploy an image: --package image")
    lock = None
    if chosen.package == "image":
        lock = find_lock(chosen.renv_lock, model.source.folder if model and language != "python" else None)
    contents = Contents(
        chosen.package, tuple(chosen.requirement), tuple(chosen.r_package),
        r=language == "r" or bool(chosen.r_package) or lock is not None, lock=lock,
    )  # fmt: skip
    settings = Settings(**{name: getattr(chosen, name) for name in (
        "runtime", "architecture", "memory", "collate_memory", "scratch", "seconds", "concurrency", "log_days",
        "boundary")})  # fmt: skip
    operation = Operation(
        tags_of(chosen.tag), chosen.kms_key, chosen.schedule, chosen.schedule_input, chosen.alarm, chosen.alarm_email
    )
    tell = (lambda _text: None) if chosen.json else say
    done = deploy_stack(
        _aws(chosen),
        chosen.stack,
        contents=contents,
        settings=settings,
        wanted=wanted,
        batch=batch,
        operation=operation,
        model=model,
        tell=tell,
    )
    state = done.state
    if chosen.json:
        print_json({"stack": state.name, "status": state.status, "bucket": state.bucket, "machine": state.machine,
                    "store": state.database_label or f"s3://{state.bucket}/runs", "notes": done.notes})  # fmt: skip
        return DONE
    for note in done.notes:
        say_note(note)
    print(f"stack     {state.name} ({state.status})\nbucket    {state.bucket}\nmachine   {state.machine}")
    if state.database_label:
        print(f"results   in a database; see them with --store {state.database_label}")
    say("run a model there with: replicast run MODEL -n 1000 --on aws")
    return DONE


def update(chosen: argparse.Namespace) -> int:
    from replicast.aws.stack import Stack

    state = Stack(_aws(chosen), chosen.stack).require()
    if state.parameters.get("ImageUri") and chosen.package == "zip":
        chosen.package = "image"
    return deploy(chosen)


def image(chosen: argparse.Namespace) -> int:
    chosen.package = "image"
    return deploy(chosen)


def _model(chosen: argparse.Namespace) -> GivenModel | None:
    """The model named on the command line, loaded and checked; its record goes to no store but the stack's."""
    from replicast.asking.preparation import Preparation
    from replicast.aws.commands import GivenModel

    from .run_commands import request_from

    if not (chosen.model or chosen.experiment):
        return None
    with (
        tempfile.TemporaryDirectory(prefix="replicast-") as folder,
        Preparation(request_from(chosen), store_url=folder) as preparation,
    ):
        source = dataclasses.replace(preparation.source)
        return GivenModel(preparation.drawn_up(), source, preparation.signature)


def status(chosen: argparse.Namespace) -> int:
    from replicast.aws.commands import status as status_of

    found = status_of(_aws(chosen), chosen.stack)
    if chosen.json:
        print_json(found)
        return DONE
    for name in ("stack", "region", "account", "status", "bucket", "machine", "model"):
        print(f"{name:<9} {found[name] or '-'}")
    for line in _database_lines(found["database"]):
        print(line)
    print(f"running   {', '.join(found['running']) or '-'}")
    return DONE


def _database_lines(database: dict[str, Any] | None) -> Iterator[str]:
    if database is None:
        yield "database  -"
        return
    made = " ".join(str(database[name]) for name in ("engine", "size", "host", "status") if database[name])
    yield f"database  {made or 'not made by replicast'}" + ("" if database["used"] else " (not used)")
    if database["connections"]:
        yield f"          takes about {database['connections']:,} connections"
    if database["secret"]:
        yield f"          password in {database['secret']}"
    if database["out_of_reach"]:
        yield f"          cannot be reached from here: {database['out_of_reach']}"


def destroy(chosen: argparse.Namespace) -> int:
    from replicast.aws.commands import destroy as destroy_stack

    if chosen.results and not chosen.yes:
        if not sys.stdin.isatty():
            raise RequestError("--results removes all runs for good; say so with --yes")
        say(
            f"this removes the bucket of stack '{chosen.stack}' and the database made for it, with every run in them. "
            "Type the stack's name to go on: "
        )
        if input().strip() != chosen.stack:
            raise RequestError("nothing was removed")
    destroyed = destroy_stack(_aws(chosen), chosen.stack, results=chosen.results)
    before, database = destroyed.state, destroyed.database
    kept = None if chosen.results else before.bucket
    kept_database = database.name if database.exists and not chosen.results else None
    if chosen.json:
        print_json({
            "stack": chosen.stack, "existed": before.exists, "kept_bucket": kept, "kept_database": kept_database,
        })  # fmt: skip
    elif before.exists:
        say(f"stack '{chosen.stack}' is removed" + (f"; its runs stay in s3://{kept}/runs" if kept else ""))
    else:
        say(f"there is no stack '{chosen.stack}'")
    if kept_database and not chosen.json:
        say(f"its database stays, and costs what it costs, in stack '{kept_database}'; --results removes that too")
    elif database.exists and not chosen.json:
        say(f"stack '{database.name}' is removed; a last snapshot of its database stays until you delete it")
    return DONE


def logs(chosen: argparse.Namespace) -> int:
    from replicast.aws.commands import FUNCTIONS
    from replicast.aws.commands import logs as logs_of

    lines = logs_of(_aws(chosen), chosen.stack, functions=chosen.function or FUNCTIONS, minutes=chosen.minutes)
    if chosen.json:
        print_json([dataclasses.asdict(line) for line in lines])
        return DONE
    for line in lines:
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(line.time))} {line.function:<8} {line.text}")
    return DONE


def sandbox(chosen: argparse.Namespace) -> int:
    """Runs until it is interrupted."""
    from replicast.aws.sandbox import environment, started

    with started(chosen.port, reachable=chosen.images) as url:
        variables = environment(url)
        if chosen.json:
            print_json(variables)
        else:
            say("an emulator of AWS runs; in another shell:")
            for name, value in variables.items():
                print(f"export {name}={value}")
            say("then: replicast aws deploy model.py; Ctrl-C here ends it, and all that is in it is gone")
        sys.stdout.flush()
        while True:
            time.sleep(3600)
