"""What those who answer for a stack ask of it: tags, a key of their own, starts by the clock, word of what failed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from replicast.core.errors import RequestError
from replicast.core.parameters import Signature
from replicast.core.record import RunRecord

from .access import Aws, error_code, explained
from .by_hand import order_of, record_by_hand

MOST_TAGS = 50
TAG = re.compile(r"[\w\s.:/=+@-]+")
SCHEDULE = re.compile(r"(cron|rate|at)\(.+\)")
"""docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html"""

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class Operation:
    """As given on the command line; None keeps what the stack has, and `none` takes it away."""

    tags: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    schedule: str | None = None
    schedule_input: str | None = None
    alarm: bool | None = None
    alarm_email: str | None = None

    def check(self) -> None:
        """Raises RequestError for what AWS would refuse, or what would be a surprise."""
        check_tags(self.tags)
        if self.schedule not in (None, "none") and not SCHEDULE.fullmatch(str(self.schedule)):
            raise RequestError(
                f'--schedule takes "cron(0 6 * * ? *)", "rate(1 day)" or "at(2027-01-31T06:00:00)", in UTC, '
                f"and '{self.schedule}' is none"
            )
        if self.schedule_input is not None and self.schedule in (None, "none"):
            raise RequestError("--schedule-input is of runs that --schedule starts: give that too")
        if self.alarm_email not in (None, "none") and not EMAIL.fullmatch(str(self.alarm_email)):
            raise RequestError(f"--alarm-email takes an address, and '{self.alarm_email}' is none")
        if self.alarm is False and self.alarm_email not in (None, "none"):
            raise RequestError("--alarm-email tells of an alarm: leave --no-alarm out")

    def check_input(self, record: RunRecord | None, signature: Signature | None) -> None:
        """Raises RequestError where no run of the deployed model would come of what the schedule starts it with."""
        if self.schedule in (None, "none"):
            return
        typed = input_of(self.schedule_input)
        if "name" in typed:
            raise RequestError("--schedule-input has a 'name', which every start would share: leave it out")
        if record is not None and signature is not None:
            now = datetime.now(UTC).isoformat()
            record_by_hand(typed, record, signature, execution="schedule", started=now)

    def settings(self, aws: Aws) -> dict[str, Any]:
        """What of the stack's Settings follows."""
        found: dict[str, Any] = {}
        if self.key is not None:
            found["key"] = "" if self.key == "none" else key_arn(aws, self.key)
        if self.schedule is not None:
            found["schedule"] = "" if self.schedule == "none" else self.schedule
            found["schedule_input"] = json.dumps(input_of(self.schedule_input))
        if self.alarm_email is not None:
            found["alarm_email"] = "" if self.alarm_email == "none" else self.alarm_email
        if self.alarm is not None or found.get("alarm_email"):
            found["alarm"] = "false" if self.alarm is False else "true"
        return found


def input_of(text: str | None) -> dict[str, Any]:
    try:
        return order_of(json.loads(text or "{}"))
    except ValueError:
        raise RequestError(f"--schedule-input takes JSON, such as '{{\"repetitions\": 10}}', and not {text}") from None


def tags_of(given: Sequence[str]) -> dict[str, str]:
    """From `KEY=VALUE` each. Raises RequestError."""
    found = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise RequestError(f"--tag takes KEY=VALUE, and '{text}' is none")
        found[key.strip()] = value.strip()
    return found


def check_tags(tags: Mapping[str, str]) -> None:
    """As docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html bounds them."""
    if len(tags) >= MOST_TAGS:
        raise RequestError(f"a stack has {MOST_TAGS - 1} tags of yours at most, and {len(tags)} are more")
    for key, value in tags.items():
        if key.lower().startswith("aws:") or key == "replicast":
            raise RequestError(f"a tag cannot be called '{key}': that name is taken")
        if len(key) > 128 or len(value) > 256:
            raise RequestError(f"tag '{key[:40]}' is too long: a key has up to 128 letters, a value up to 256")
        if not TAG.fullmatch(key) or (value and not TAG.fullmatch(value)):
            raise RequestError(f"tag '{key}={value}' has other signs than letters, digits, spaces and _ . : / = + - @")


def key_arn(aws: Aws, name: str) -> str:
    """A key by its ARN, ID or alias. Raises RequestError where there is none that could encrypt a bucket."""
    from botocore.exceptions import ClientError

    with explained(f"look at key '{name}'"):
        try:
            found = aws.client("kms").describe_key(KeyId=name)["KeyMetadata"]
        except ClientError as error:
            if error_code(error) in ("NotFoundException", "InvalidArnException", "ValidationException"):
                raise RequestError(f"there is no key '{name}' in {aws.region}") from None
            raise
    if not found.get("Enabled", True) or found.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
        raise RequestError(f"key '{name}' cannot encrypt a bucket: it has to be symmetric, and enabled")
    return str(found["Arn"])
