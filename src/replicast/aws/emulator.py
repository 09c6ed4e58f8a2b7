"""`python -P -m replicast.aws.emulator`: ministack, with what our state machines need of AWS and it lacks."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

Lesson = Callable[..., Any]


def taught(module: Any, name: str) -> Callable[[Lesson], Lesson]:
    """Puts a lesson in the place of a function of the emulator; the lesson is given that one first."""

    def put(lesson: Lesson) -> Lesson:
        before = getattr(module, name)
        setattr(module, name, lambda *arguments, **named: lesson(before, *arguments, **named))
        return lesson

    return put


def service(name: str) -> Any:
    return importlib.import_module(f"ministack.services.{name}")


def complete() -> None:
    states, functions, storage = service("stepfunctions"), service("lambda_svc"), service("s3")

    @taught(states, "_run_distributed_map")
    def _the_width_of_a_map_may_be_read_from_its_input(before: Lesson, state: Any, raw: Any, *rest: Any) -> Any:
        """MaxConcurrencyPath: docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html."""
        if "MaxConcurrencyPath" in state:
            width = states._resolve_path_or_ctx(state["MaxConcurrencyPath"], rest[0], rest[-1])
            state = {**state, "MaxConcurrency": int(width)}
        return before(state, raw, *rest)

    @taught(states, "_call_lambda")
    def _throttling_has_a_name(before: Lesson, *arguments: Any) -> Any:
        """`Lambda.TooManyRequestsException`: docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html."""
        try:
            return before(*arguments)
        except states._ExecutionError as error:
            if "TooManyRequestsException" in str(error.cause):
                raise states._ExecutionError("Lambda.TooManyRequestsException", error.cause) from None
            raise

    @taught(states, "_dispatch_aws_sdk_lambda_rest")
    def _the_accounts_settings_can_be_asked_for(before: Lesson, info: Any, name: str, action: str, given: Any) -> Any:
        """docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html: every action of the SDK."""
        if action.lower() != "getaccountsettings":
            return before(info, name, action, given)
        return json.loads(functions._get_account_settings()[2])

    @taught(states, "_dispatch_aws_sdk_rest_xml")
    def _an_object_can_be_put(before: Lesson, info: Any, name: str, action: str, given: Any) -> Any:
        """As above; a body that is no text is written as JSON."""
        if (name, action.lower()) != ("s3", "putobject"):
            return before(info, name, action, given)
        body = given["Body"] if isinstance(given["Body"], str) else json.dumps(given["Body"])
        status, _, answer = storage._put_object(given["Bucket"], given["Key"], body.encode(), {})
        if status >= 400:
            raise states._ExecutionError("S3.S3Exception", str(answer))
        return {}


def main() -> None:
    complete()
    importlib.import_module("ministack.app").main()


if __name__ == "__main__":
    main()
