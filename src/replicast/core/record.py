"""run.json: who, what and when; all that another machine, on another day, needs to go on with a run."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from .errors import RequestError, StoreError
from .experiment import Experiment

FORMAT = 1
NAME = "run.json"
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
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
    """How a run is carried out; nothing here changes a number."""

    timeout_seconds: float | None = None
    retries: int = 1
    tolerance: Tolerance = Tolerance()
    precision: str | None = None
    maximum: int | None = None
    look_ahead: int | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """`files` maps each file of the model's source to its SHA-256; `replications` are those planned per scenario.

    `planned` holds, by scenario, what a run until precise came to: only replications up to there count.
    """

    id: str
    experiment: Experiment
    replications: int
    created: str
    options: Options = Options()
    executor: str = "local"
    stack: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    code_hash: str = ""
    git_commit: str = ""
    host: str = ""
    user: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    signature: Mapping[str, Any] = field(default_factory=dict)
    planned: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        content = {"format": FORMAT} | {
            name: getattr(self, name) for name in self.__slots__ if name not in ("experiment", "options")
        }
        content |= {"experiment": self.experiment.to_dict(), "options": asdict(self.options)}
        return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes, where: str) -> RunRecord:
        """Raises StoreError for a record that this version cannot read."""
        try:
            saved = json.loads(content)
            if saved["format"] > FORMAT:
                raise StoreError(
                    f"{where} was written by a newer replicast (format {saved['format']}); update this one"
                )
            options = dict(saved["options"])
            options["tolerance"] = Tolerance(**options["tolerance"])
            known = {name: saved[name] for name in cls.__slots__ if name in saved}
            known |= {"experiment": Experiment.from_dict(saved["experiment"]), "options": Options(**options)}
            return cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{where} is damaged: {type(error).__name__}: {error}") from error

    def planned_for(self, scenario: str) -> int:
        """How many replications of the scenario count; more may be stored where a run until precise went past it."""
        return self.planned.get(scenario, self.replications)

    def with_replications(self, number: int) -> RunRecord:
        return replace(self, replications=number, planned={})


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


def check_replications(number: int) -> int:
    if number < 1:
        raise RequestError(f"the number of replications must be 1 or more, and {number} is not")
    if number > 2**31:
        raise RequestError(f"{number} replications are more than replicast numbers (2147483648)")
    return number
