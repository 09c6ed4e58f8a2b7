"""The options of `replicast aws …` and `replicast estimate`, declared apart from what carries them out."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from .parser import Add, Parser, add_replications

ModelOptions = Callable[..., None]
PILOT = 5


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
    logs.add_argument(
        "--function", action="append", default=[], metavar="NAME", help="plan, simulate, collate, setup or batch"
    )
    logs.add_argument("--minutes", type=float, default=60.0, metavar="M", help="how far back (default: 60)")
    policy = deed("policy", "print an IAM policy for whoever deploys the stack, or runs models on it")
    policy.add_argument(
        "name", metavar="NAME", help="runner, deployer, deployer-batch, deployer-codebuild or deployer-database"
    )
    sandbox = deed("sandbox", "start an emulator of AWS on this machine, to try everything at no cost")
    sandbox.add_argument("--port", type=int, default=4566, metavar="P", help="on 127.0.0.1 (default: 4566)")
    sandbox.add_argument("--images", action="store_true", help="run image functions too: needs Docker and pip's docker")
    _add_estimate(add, add_model)


def _add_estimate(add: Add, add_model: ModelOptions) -> None:
    estimate = add("estimate", "aws_estimate:estimate", "run a pilot and say what a run on AWS would take and cost")
    add_model(estimate, optional=True)
    add_replications(estimate, "replications of each scenario")
    estimate.add_argument("--on", default="aws", choices=["aws"], metavar="WHERE", help="aws (default)")
    estimate.add_argument(
        "--pilot", type=int, default=PILOT, metavar="K", help=f"replications tried here (default: {PILOT})"
    )
    estimate.add_argument("--max-cost", type=float, metavar="DOLLARS", help="exit with 2 if it would cost more")
    estimate.add_argument("--memory", type=int, metavar="MB", help="of a function (default: from the pilot)")
    estimate.add_argument("--concurrency", type=int, metavar="C", help="functions at once (default: 1000)")
    estimate.add_argument("--architecture", default="arm64", metavar="A", help="arm64 (default) or x86_64")
    estimate.add_argument("--database-size", metavar="CLASS", help="with results in a database, such as db.t4g.small")
    estimate.add_argument("--region", metavar="R", help="default: that of the AWS configuration, else us-east-1")


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="replicast", metavar="NAME", help="default: replicast")
    parser.add_argument("--region", metavar="R", help="default: that of the AWS configuration")
    parser.add_argument("--profile", metavar="P", help="a profile of the AWS configuration")


def _add_contents(parser: Parser, add_model: ModelOptions) -> None:
    add_model(parser, optional=True)
    add_replications(parser, "replications when started by hand with {}")
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
    parser.add_argument("--base-image", metavar="IMAGE", help="of Debian or Ubuntu; its own R is taken if it has one")
    parser.add_argument("--r-version", metavar="X.Y.Z", help="of R in the image, from rocker's (default: Debian's)")
    parser.add_argument("--refresh", action="store_true", help="make the image anew, with the packages of today")
    parser.add_argument(
        "--aws-build", metavar="here|codebuild", help="who builds the image: an engine here (default), or AWS CodeBuild"
    )
    _add_functions(parser)
    _add_batch(parser)
    _add_database(parser)


def _add_functions(parser: Parser) -> None:
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


def _add_batch(parser: Parser) -> None:
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


def _add_database(parser: Parser) -> None:
    parser.add_argument(
        "--database", metavar="postgres|mysql|none", help="make a database, and keep results there; none: in the bucket"
    )
    parser.add_argument("--database-size", metavar="CLASS", help="of the database (default: db.t4g.small)")
    parser.add_argument("--proxy", action="store_true", help="with --database: an RDS Proxy before it")
    parser.add_argument(
        "--database-url-secret", metavar="ARN", help="keep results in the database whose URL this secret holds"
    )
    parser.add_argument(
        "--database-ca", metavar="FILE", help="verify the database by these authorities' certificates, as PEM"
    )
    parser.add_argument(
        "--subnet", action="append", default=[], metavar="ID", help="run functions in this subnet (repeatable)"
    )
    parser.add_argument(
        "--security-group", action="append", default=[], metavar="ID", help="of functions in --subnet (repeatable)"
    )
