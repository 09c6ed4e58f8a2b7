"""The emulator with what AWS refuses and it does not, taught from AWS's documentation and other projects' issues.

Run as a program in the emulator's place: `python tests/aws/taught.py`. Each lesson names its source.
"""

from __future__ import annotations

import fnmatch
import importlib
import json
import os
import re
import secrets
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replicast.aws.emulator import Lesson, complete, service, taught

sys.path.insert(0, str(Path(__file__).parent))
from taught_batch import teach_batch

STATE_BYTES = 256 * 1024


def resource(provisioners: Any, kind: str, deed: str) -> Callable[[Lesson], Lesson]:
    """As `taught`, for what a template does with resources of a kind."""

    def put(lesson: Lesson) -> Lesson:
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        before = handlers[deed]
        handlers[deed] = lambda *arguments, **named: lesson(before, *arguments, **named)
        return lesson

    return put


def teach_states() -> None:
    states = service("stepfunctions")

    @taught(states, "_apply_result_selector")
    def _map_aggregates_its_childrens_outputs(before: Lesson, state: Any, data: Any) -> Any:
        """Without ResultWriter a map's result is the array of all outputs, whatever its ResultPath says, and fails
        above 256 KiB (github.com/aws/aws-cdk/issues/24799; Step Functions' quotas: "Maximum input or output size")."""
        distributed = state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
        if distributed and "ResultWriter" not in state and len(json.dumps(data, separators=(",", ":"))) > STATE_BYTES:
            why = "The Map returned a result with a size exceeding the maximum number of bytes service limit."
            raise states._ExecutionError("States.DataLimitExceeded", why)
        return before(state, data)

    @taught(states, "_find_matching_catcher")
    def _some_errors_are_caught_by_nothing(before: Lesson, catchers: Any, error: str) -> Any:
        """ "States.ALL can't catch the States.DataLimitExceeded terminal error", says
        docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html."""
        return None if error == "States.DataLimitExceeded" else before(catchers, error)


def teach_s3() -> None:
    storage = service("s3")

    @taught(storage, "handle_request")
    async def _headers_of_amazons_are_signed_and_owners_are_compared(
        before: Lesson, method: str, path: str, headers: Any, *rest: Any, **more: Any
    ) -> Any:
        """ "There were headers present in the request which were not signed": github.com/apache/arrow-rs-object-store/
        issues/484; x-amz-content-sha256 may be: github.com/demarche-numerique/ds_proxy/pull/164. Another owner than is
        expected: 403, docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html."""
        found = re.search("SignedHeaders=([^, ]+)", headers.get("authorization", ""))
        signed = {*found[1].split(";"), "x-amz-content-sha256"} if found else set(headers)
        if unsigned := sorted(name for name in headers if name.startswith("x-amz-") and name not in signed):
            why = f"There were headers present in the request which were not signed: {', '.join(unsigned)}"
            return storage._error("AccessDenied", why, 403, path)
        owner = storage._bucket_owner_account(storage._parse_bucket_key(path, headers)[0])
        if owner is not None and headers.get("x-amz-expected-bucket-owner", owner) != owner:
            return storage._error("AccessDenied", "Access Denied", 403, path)
        return await before(method, path, headers, *rest, **more)

    @taught(storage, "_put_object")
    def _a_policy_may_ask_for_if_none_match(
        before: Lesson, bucket: str, key: str, body: Any, headers: Any, *rest: Any, **more: Any
    ) -> Any:
        """docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html"""
        status, _, policy = storage._get_bucket_policy(bucket)
        for statement in json.loads(policy)["Statement"] if status == 200 else []:
            asked = statement.get("Condition", {}).get("Null", {}).get("s3:if-none-match") == "true"
            named = asked and fnmatch.fnmatchcase(f"{bucket}/{key}", statement["Resource"].rpartition(":::")[2])
            if statement["Effect"] == "Deny" and named and "if-none-match" not in headers:
                return storage._error("AccessDenied", f"explicit deny in {statement['Sid']}", 403, key)
        return before(bucket, key, body, headers, *rest, **more)


def teach_lambda() -> None:
    functions = service("lambda_svc")
    error = functions.error_response_json

    @taught(functions, "_put_function_concurrency")
    def _a_small_account_has_nothing_to_reserve(before: Lesson, name: str, data: Any) -> Any:
        """ "decreases account's UnreservedConcurrentExecution below its minimum value of [10]" in an account that has
        no more (github.com/aws-samples/one-observability-demo/issues/278, .../alarm-context-tool/issues/2); [100]
        elsewhere."""
        settings = json.loads(functions._get_account_settings()[2])["AccountLimit"]
        wanted, least = int(data.get("ReservedConcurrentExecutions", 0)), min(100, settings["ConcurrentExecutions"])
        if settings["UnreservedConcurrentExecutions"] - wanted < least:
            why = ("Specified ReservedConcurrentExecutions for function decreases account's "
                   f"UnreservedConcurrentExecution below its minimum value of [{least}].")  # fmt: skip
            return error("InvalidParameterValueException", why, 400)
        return before(name, data)

    @taught(functions, "_update_code")
    def _a_functions_kind_stays(before: Lesson, name: str, data: Any) -> Any:
        """ "Please don't provide ImageUri when updating a function with packageType Zip"
        (github.com/umihico/pythonista-chromeless/issues/19); the other way round: github.com/aws/aws-cdk/issues/13037.
        """
        kind = functions._functions[name]["config"].get("PackageType", "Zip") if name in functions._functions else ""
        given = "ImageUri" if "ImageUri" in data else "S3Bucket"
        if kind and (kind == "Image") != (given == "ImageUri"):
            why = f"Please don't provide {given} when updating a function with packageType {kind}."
            return error("InvalidParameterValueException", why, 400)
        return before(name, data)


def teach_cloudformation() -> None:
    made = importlib.import_module("ministack.services.cloudformation.provisioners")
    functions = service("lambda_svc")
    instances: dict[str, dict[str, Any]] = {}

    @resource(made, "AWS::Lambda::Function", "create")
    def _reserving_goes_through_the_same_door(before: Lesson, logical_id: str, props: Any, stack: str) -> Any:
        """As `_a_small_account_has_nothing_to_reserve`, from a template."""
        found = before(logical_id, props, stack)
        if "ReservedConcurrentExecutions" in props:
            status, _, body = functions._put_function_concurrency(found[0], props)
            if status >= 400:
                raise ValueError(f"Resource handler returned message: {json.loads(body)['message']}")
        return found

    @resource(made, "AWS::RDS::DBInstance", "create")
    def _rds_keeps_the_password(before: Lesson, logical_id: str, props: Any, stack: str) -> Any:
        """Fn::GetAtt MasterUserSecret.SecretArn is in the template reference of AWS::RDS::DBInstance; what the secret
        holds, in docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html. A file that TAUGHT_DATABASE
        names has host and port of a server that stands in the instance's place."""
        found, attributes = before(logical_id, props, stack)
        if str(props.get("ManageMasterUserPassword")).lower() == "true":
            content = {"username": props["MasterUsername"], "password": secrets.token_urlsafe(16)}
            answer = service("secretsmanager")._create_secret(
                {"Name": f"rds!db-{uuid.uuid4()}", "SecretString": json.dumps(content)}
            )
            attributes["MasterUserSecret.SecretArn"] = json.loads(answer[2])["ARN"]
        server = Path(os.environ.get("TAUGHT_DATABASE", "none"))
        if server.exists():
            attributes |= {f"Endpoint.{name}": value for name, value in json.loads(server.read_text()).items()}
        instances[found] = dict(attributes)
        return found, attributes

    @resource(made, "AWS::RDS::DBInstance", "update")
    def _an_update_in_place_leaves_secret_and_address(before: Lesson, *arguments: Any) -> Any:
        """Changing DeletionProtection is an update with no interruption (AWS::RDS::DBInstance's reference)."""
        found, attributes = before(*arguments)
        return found, {**attributes, **instances.get(found, {})}


def main() -> None:
    os.environ.setdefault("LAMBDA_ACCOUNT_CONCURRENCY", "1000")
    complete()
    teach_states()
    teach_s3()
    teach_lambda()
    teach_cloudformation()
    teach_batch()
    importlib.import_module("ministack.app").main()


if __name__ == "__main__":
    main()
