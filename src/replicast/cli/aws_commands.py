"""`replicast aws …`: the stack in an account."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from replicast.core.errors import RequestError

from .screen import print_json, say, say_note

if TYPE_CHECKING:
    from replicast.aws.access import Aws
    from replicast.aws.commands import Deployed, GivenModel
    from replicast.aws.contents import Contents

DONE = 0


def no_deed(_chosen: argparse.Namespace) -> int:
    raise RequestError(
        "what is to be done? replicast aws deploy, update, status, logs, image, destroy, policy or sandbox"
    )


def _aws(chosen: argparse.Namespace) -> Aws:
    from replicast.aws.access import Aws

    return Aws(chosen.region, chosen.profile)


def deploy(chosen: argparse.Namespace) -> int:
    from replicast.aws.batch import WantedBatch
    from replicast.aws.commands import deploy as deploy_stack
    from replicast.aws.database import Wanted
    from replicast.aws.operation import Operation, tags_of
    from replicast.aws.settings import Settings

    if chosen.package not in ("zip", "image"):
        raise RequestError(f"--package takes zip or image, not '{chosen.package}'")
    wanted = Wanted(
        chosen.database, chosen.database_size, chosen.proxy, chosen.database_url_secret,
        tuple(chosen.subnet), tuple(chosen.security_group), chosen.database_ca,
    )  # fmt: skip
    wanted.check()
    batch = WantedBatch(chosen.batch, chosen.batch_processors, tuple(chosen.batch_subnet), chosen.batch_private)
    batch.check(chosen.package, database=bool(chosen.database not in (None, "none") or chosen.database_url_secret))
    model = _model(chosen)
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
        contents=_contents(chosen, model),
        settings=settings,
        wanted=wanted,
        batch=batch,
        operation=operation,
        model=model,
        tell=tell,
    )
    return _tell_deployed(chosen, done)


def _contents(chosen: argparse.Namespace, model: GivenModel | None) -> Contents:
    """What the functions are made of. Raises RequestError for R in a zip package, and for a lock file that is none."""
    from replicast.aws.contents import Contents
    from replicast.aws.renv import find_lock
    from replicast.models import language_of

    language = language_of(model.record.experiment.model) if model else None
    needs_r, programs = (language.needs_r, language.programs) if language else (False, "")
    if needs_r and chosen.package == "zip":
        raise RequestError("R does not run in a zip package; deploy an image: --package image")
    lock = None
    if chosen.package == "image":
        lock = find_lock(chosen.renv_lock, model.source.folder if model and programs else None)
    return Contents(
        chosen.package, tuple(chosen.requirement), tuple(chosen.r_package),
        r=needs_r or bool(chosen.r_package or chosen.r_version) or lock is not None, lock=lock,
        base_image=chosen.base_image, r_version=chosen.r_version, refresh=chosen.refresh,
        built=chosen.aws_build,
    )  # fmt: skip


def _tell_deployed(chosen: argparse.Namespace, done: Deployed) -> int:
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
    from replicast.aws.commands import logs as logs_of

    lines = logs_of(_aws(chosen), chosen.stack, functions=chosen.function, minutes=chosen.minutes)
    if chosen.json:
        print_json([dataclasses.asdict(line) for line in lines])
        return DONE
    for line in lines:
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(line.time))} {line.function:<8} {line.text}")
    return DONE


def policy(chosen: argparse.Namespace) -> int:
    from replicast.aws.permissions import policy as policy_of

    print_json(policy_of(_aws(chosen), chosen.name, chosen.stack))
    return DONE


def sandbox(chosen: argparse.Namespace) -> int:
    """Runs until it is interrupted."""
    from replicast.aws.sandbox import NEEDS, environment, next_command, started

    with started(chosen.port, reachable=chosen.images) as url:
        variables = environment(url)
        if chosen.json:
            print_json(variables)
        else:
            say("an emulator of AWS runs; in another shell:")
            for name, value in variables.items():
                print(f"export {name}={value}")
            say(f"then: {next_command(images=chosen.images)}")
            say(f"{NEEDS}; Ctrl-C here ends it, and all that is in it is gone")
        sys.stdout.flush()
        while True:
            time.sleep(3600)
