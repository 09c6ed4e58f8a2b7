"""The only door to boto3: sessions, clients, who we are, and Amazon's errors in words of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from replicast.core.errors import ExecutorError, RequestError
from replicast.stores.objects import ObjectStore

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AccessDeniedFault")
EXPIRED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
)
THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
)
ATTEMPTS = 8


class Aws:
    """One account and region. `session` is boto3's; clients are made once each."""

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        try:
            import boto3
        except ImportError:
            raise RequestError("AWS needs boto3: python -m pip install 'replicast[aws]'") from None
        self.session: Any = boto3.session.Session(region_name=region, profile_name=profile)
        if self.session.region_name is None:
            raise RequestError("in which region? Give --region, or set AWS_REGION, or: aws configure set region REGION")
        self.region: str = self.session.region_name
        self._clients: dict[str, Any] = {}
        self._account = ""

    def client(self, service: str) -> Any:
        if service not in self._clients:
            from botocore.config import Config

            config = Config(retries={"mode": "adaptive", "max_attempts": ATTEMPTS}, user_agent_extra="replicast")
            self._clients[service] = self.session.client(service, config=config)
            if service == "s3":
                events = self._clients[service].meta.events
                events.register("provide-client-params.s3.*", self._expect_own_bucket)
        return self._clients[service]

    def _expect_own_bucket(self, params: dict[str, Any], model: Any, **_event: Any) -> None:
        """S3 refuses a bucket of another account's then: names are for all accounts, and ours can be guessed."""
        named = "Bucket" not in params or "ExpectedBucketOwner" in params
        if not named and "ExpectedBucketOwner" in model.input_shape.members:
            params["ExpectedBucketOwner"] = self.account

    @property
    def account(self) -> str:
        if not self._account:
            with explained("see whose credentials these are"):
                self._account = self.client("sts").get_caller_identity()["Account"]
        return self._account

    @property
    def partition(self) -> str:
        """`aws`, or `aws-cn`, `aws-us-gov`: the second word of every ARN."""
        return str(self.session.get_partition_for_region(self.region))

    def store(self, url: str, *, own: bool = True) -> ObjectStore:
        """A store in S3 with this session's credentials, renewed as they expire: obstore reads no profiles.

        In a bucket that is not `own`, whose owner is the business of who named it, no owner is expected.
        """
        options: dict[str, Any] = {"config": {"aws_region": self.region}}
        if self.session.get_credentials() is not None:
            from obstore.auth.boto3 import Boto3CredentialProvider

            options["credential_provider"] = Boto3CredentialProvider(self.session)
        if not own or not url.startswith("s3://"):
            return ObjectStore(url, options)
        from .own_bucket import OwnBucket

        return OwnBucket(url, options, owner=self.account, storage=self.client("s3"), explained=explained)


def error_code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Message", error))


@contextmanager
def explained(deed: str) -> Iterator[None]:
    """Turns what boto3 raises while we try to do `deed` into an error of ours that says what to do."""
    from botocore import exceptions

    try:
        yield
    except exceptions.NoCredentialsError:
        raise RequestError(
            f"cannot {deed}: there are no AWS credentials; set AWS_PROFILE, or run: aws configure (or aws sso login)"
        ) from None
    except exceptions.ClientError as error:
        code, text = error_code(error), error_message(error)
        if code in EXPIRED:
            raise RequestError(f"cannot {deed}: the AWS credentials are not valid (any more): {text}") from None
        if code in DENIED:
            action = error.operation_name
            raise ExecutorError(f"cannot {deed}: these credentials may not {action}: {text}") from None
        if code in THROTTLED:
            raise ExecutorError(
                f"cannot {deed}: AWS takes no more {error.operation_name} requests at the moment "
                f"({code}: {text}, {ATTEMPTS} times); wait a minute and try again"
            ) from None
        raise ExecutorError(f"cannot {deed}: {error.operation_name}: {code}: {text}") from None
    except (exceptions.BotoCoreError, exceptions.HTTPClientError) as error:
        raise ExecutorError(f"cannot {deed}: {error}") from None
