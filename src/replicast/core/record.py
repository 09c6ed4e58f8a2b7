"""run.json: who, what and when; all that another machine, on another day, needs to go on with a run."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from .antithetic import check_pairs
from .errors import ReplicastError, RequestError, StoreError
from .experiment import Experiment
from .scenarios import check_scenarios

FORMAT = 2
"""2: parts are committed by manifests; of format 1 they have none, and are read."""
NAME = "run.json"
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_REPLICATIONS = 2**31
SEALED = ("planned", "control", "segments", "design")
"""What of a record, beside its experiment and its files, decides numbers or what is said of them."""
LETTERS = "23456789abcdefghijkmnpqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many replications may fail: a share of those planned, or a count."""

    share: float = 0.0
    count: int = 0

    def allows(self, failed: int, planned: int) -> bool:
        return failed <= max(self.count, int(self.share * planned + 1e-9))

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """`5%` or `3`. Raises RequestError."""
        try:
            if text.strip().endswith("%"):
                share = float(text.strip()[:-1]) / 100
                if 0 <= share <= 1:
                    return cls(share=share)
            elif int(text) >= 0:
                return cls(count=int(text))
        except ValueError:
            pass
        raise RequestError(f"--tolerate takes a share such as 5% or a count such as 3, and '{text}' is neither")


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is carried out; nothing here changes a number.

    `control` holds metrics whose true means are known, by which others are adjusted, see `core.controls`.
    """

    timeout_seconds: float | None = None
    retries: int = 1
    tolerance: Tolerance = Tolerance()
    precision: str | None = None
    maximum: int | None = None
    look_ahead: int | None = None
    workers: int | None = None
    memory_bytes: int | None = None
    select: str | None = None
    indifference: float | None = None
    budget: int | None = None
    control: Mapping[str, float] = field(default_factory=dict)

    @property
    def adaptive(self) -> bool:
        """Whether results decide how many replications there are: what counts is then `RunRecord.planned`."""
        return bool(self.precision or self.select)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a run that one version of the model simulated, see `segments`.

    `changes` is what was different from the one before, `stored` how many replications there were already.

    `outside` maps code from outside the source's copy, named from where it is imported, to its SHA-256 and its place.
    """

    since: str
    code_hash: str
    versions: Mapping[str, str] = field(default_factory=dict)
    outside: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    stored: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """`files` maps each file of the model's source to its SHA-256; `replications` are those planned per scenario.

    `planned` holds, by scenario, what a run until precise came to: only replications up to there count. `place` names
    where the run is carried out, `place_options` are that place's own. `project` is the folder that the source was
    copied from, on `host`, and `left_out` says why of what was not copied. `files`, `versions` and `outside` are those
    of the last of its `segments`, `digests` those of the experiment's parts. `design` says what sensitivity needs of
    the design that its scenarios are the points of. `edited` names parts that are not as they were written.
    """

    id: str
    experiment: Experiment
    replications: int
    created: str
    options: Options = Options()
    place: str = "local"
    place_options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    code_hash: str = ""
    git_commit: str = ""
    host: str = ""
    user: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    signature: Mapping[str, Any] = field(default_factory=dict)
    planned: Mapping[str, int] = field(default_factory=dict)
    project: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    outside: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    design: Mapping[str, Any] = field(default_factory=dict)
    edited: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        apart = ("experiment", "options", "segments", "edited")
        content = {"format": FORMAT} | {name: getattr(self, name) for name in self.__slots__ if name not in apart}
        content |= {"experiment": self.experiment.to_dict(), "options": asdict(self.options)}
        content["segments"] = [asdict(segment) for segment in self.segments]
        content["seals"] = _seals(content) | dict.fromkeys(self.edited, "")
        return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes, where: str, run: str = "") -> RunRecord:
        """Fields that a later version of the same format added are passed over.

        Raises StoreError for a record that this version cannot read, or that stands in the place of another `run`.
        """
        try:
            saved = _object_of(content)
            if _format_of(saved) > FORMAT:
                raise StoreError(
                    f"{where} was written by a newer replicast (format {saved['format']}); update this one"
                )
            saved.setdefault("place", _former_place(saved))
            record = msgspec.convert(
                saved | {"experiment": Experiment.from_dict(saved["experiment"]), "edited": ()}, cls
            )
            _check(record, saved)
            record = replace(record, edited=_edited(saved))
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, RecursionError, RequestError) as error:
            raise StoreError(f"{where} is damaged: {_reason(error)}") from error
        if run and record.id != run:
            raise StoreError(
                f"{where} says that it is of run '{record.id}': what lies there was renamed or copied by hand; "
                f"give it its name '{record.id}' again (to copy a run: replicast copy)"
            )
        return record

    def planned_for(self, scenario: str) -> int:
        """How many replications of the scenario count; more may be stored where a run until precise went past it."""
        return self.planned.get(scenario, self.replications)

    def with_replications(self, number: int) -> RunRecord:
        check_pairs(number, self.experiment.streams.antithetic)
        return replace(self, replications=number, planned={})


def _seals(content: Mapping[str, Any]) -> dict[str, str]:
    """A short digest of each sealed part of a record, as it is stored."""
    parts = {name: content.get(name) or content["options"].get(name) for name in SEALED}
    texts = {name: json.dumps(part or None, sort_keys=True, default=str) for name, part in parts.items()}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}


def _edited(saved: Mapping[str, Any]) -> tuple[str, ...]:
    """Sealed parts that are not what they were written as; records of before seals have none."""
    seals = saved.get("seals")
    return tuple(name for name, seal in _seals(saved).items() if isinstance(seals, dict) and seals.get(name) != seal)


def _object_of(content: bytes) -> dict[str, Any]:
    saved = json.loads(content)
    if not isinstance(saved, dict):
        raise TypeError(f"it holds {type(saved).__name__} where an object belongs")
    if b"\\ud" in content.lower():
        json.dumps(saved, ensure_ascii=False).encode()  # half a character can be neither printed nor stored
    return saved


def _format_of(saved: Mapping[str, Any]) -> int:
    number = saved["format"]
    if type(number) is not int or number < 1:
        raise ValueError(f"'{number}' is no format")
    return number


def _check(record: RunRecord, saved: Mapping[str, Any]) -> None:
    """Refuses what no run of ours ever says."""
    if not {"share", "count"} <= saved["options"]["tolerance"].keys():
        raise ValueError("it does not say how many replications may fail")
    check_run_name(record.id)
    check_replications(record.replications)
    datetime.fromisoformat(record.created)
    scenarios = record.experiment.scenarios
    check_scenarios(scenarios)
    if not scenarios or len({scenario.name for scenario in scenarios}) < len(scenarios):
        raise ValueError("its scenarios are none, or two of one name")
    options, tolerance = record.options, record.options.tolerance
    timeout = 1.0 if options.timeout_seconds is None else options.timeout_seconds
    if not (0 < timeout < float("inf") and options.retries >= 0 and 0 <= tolerance.share <= 1 and tolerance.count >= 0):
        raise ValueError("its options are out of range")
    if (
        (options.workers or 1) < 1
        or (options.memory_bytes or 1) < 1
        or not all(0 <= number <= MOST_REPLICATIONS for number in record.planned.values())
    ):
        raise ValueError("its options are out of range")


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ReplicastError) else f"{type(error).__name__}: {error}"


def _former_place(saved: Mapping[str, Any]) -> str:
    """The place of a record of version 0.1, which had an executor and, beside it, the name of a stack."""
    executor, stack = saved.get("executor", "local"), saved.get("stack", "")
    return f"{executor}://{stack}" if stack else str(executor)


def as_people_write(moment: str) -> str:
    """`2026-12-01 09:30:00 UTC` of an ISO 8601 moment."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def new_run_id(now: datetime) -> str:
    """Sorts by time and is unique without asking anyone: `20261123T141502-k3f9x2`."""
    return f"{now:%Y%m%dT%H%M%S}-" + "".join(secrets.choice(LETTERS) for _ in range(6))


def check_run_name(name: str) -> str:
    """Raises RequestError for a name that could not be one folder's name everywhere."""
    if not RUN_NAME.fullmatch(name) or name == "latest":
        raise RequestError(
            f"a run cannot be called '{name}': use letters, digits, '-', '_' and '.', and begin with a letter or digit"
        )
    return name


def check_more(record: RunRecord, number: int | None) -> int | None:
    """Raises RequestError for fewer replications than the run's plan has: a plan only grows."""
    if number is not None and check_replications(number) < record.replications:
        raise RequestError(
            f"{record.replications} replications of each scenario are planned in run {record.id}, and -n only raises "
            f"that: leave -n out to compute what is missing of them, or ask for more ({number} was asked for)"
        )
    return number


def _check_selection(options: Options) -> None:
    """Refuses a search that has no goal or no end."""
    select, indifference, budget = options.select, options.indifference, options.budget
    if not select:
        if indifference is not None or budget is not None:
            raise RequestError("--indifference and --budget are of --select METRIC=lower; without it, they say nothing")
        return
    from .choosing import parse_goal  # imports numpy, which the first result does not wait for

    parse_goal(select, indifference, budget)
    if options.precision:
        raise RequestError("--select and --precision are two rules of how many replications there are: give one")
    if options.maximum is not None and budget is not None:
        raise RequestError("--max ends a search with --indifference; a --budget is an end itself")


def check_options(options: Options, replications: int) -> Options:
    """Raises RequestError for options out of range, by their names on the command line."""
    timeout, maximum, precision = options.timeout_seconds, options.maximum, options.precision
    if timeout is not None and not 0 < timeout < float("inf"):
        raise RequestError(f"--timeout takes seconds above 0, and {timeout:g} is not")
    for name, value, least in (
        ("retries", options.retries, 0), ("workers", options.workers, 1),
        ("max", maximum, 3), ("look-ahead", options.look_ahead, 0),
    ):  # fmt: skip
        if value is not None and value < least:
            raise RequestError(f"--{name} takes {least} or more, and {value} is not")
    if precision:
        from .precision import parse_precision  # imports numpy, which the first result does not wait for

        parse_precision(precision)
    _check_selection(options)
    if maximum is not None and not options.adaptive:
        raise RequestError("--max is the most that --precision or --select may take; without them, give -n")
    if options.look_ahead is not None and not precision:
        raise RequestError("--look-ahead is how long --precision must stay met; without it, it says nothing")
    if maximum is not None and maximum < replications:
        raise RequestError(f"a run until precise begins with -n {replications} replications, more than --max {maximum}")
    return options


def check_replications(number: int) -> int:
    if number < 1:
        raise RequestError(f"the number of replications must be 1 or more, and {number} is not")
    if number > MOST_REPLICATIONS:
        raise RequestError(f"{number} replications are more than replicast numbers ({MOST_REPLICATIONS})")
    return number
