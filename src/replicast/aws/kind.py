"""AWS in the table of places: its options, and what opens it, imported only then."""

from __future__ import annotations

from replicast.places.built_in import opened_by
from replicast.places.kinds import Option, PlaceKind

OPTIONS = (
    Option("stack", "the stack to run on (default: replicast)", shown="NAME", flag="--stack"),
    Option(
        "compute",
        "lambda, batch or fargate-spot (default: functions, and AWS Batch beyond them)",
        shown="HOW",
        flag="--aws-compute",
    ),
    Option("max-cost", "try a few here, refuse if it would cost more", float, "DOLLARS", flag="--max-cost"),
)
KIND = PlaceKind(opened_by("replicast.aws.place", "open_place"), OPTIONS, own_packages=True)
