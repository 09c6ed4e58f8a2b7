"""A database whose certificate is verified: where its authorities lie, and how either driver is told of them."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path

from replicast.core.errors import StoreError

from .access import Aws, error_code

AUTHORITIES = "authorities"
"""The fact of a database's URL that names the file, `s3://BUCKET/code/DIGEST.pem`."""

VERIFYING = {
    "postgresql": ({"sslmode": "verify-full"}, "sslrootcert"),
    "mysql": ({}, "ssl_ca"),
}
"""By kind of database the drivers' options, and the one that names the file. PyMySQL, once it has a file, demands a
certificate of these authorities, and compares the server's name."""

LOOSE = ("sslmode", "ssl_check_hostname", "ssl_disabled", "ssl_verify_cert", "ssl_verify_identity")


def verified(url: str, file: str) -> str:
    """The URL with all that makes its driver compare certificate and name of the server with those in `file`."""
    from replicast.stores.sql_connections import parsed_address

    address = parsed_address(url)
    kind = address.drivername.partition("+")[0]
    if kind not in VERIFYING:
        raise StoreError(f"a database of {kind} has no certificate to verify: deploy without --database-ca")
    options, option = VERIFYING[kind]
    kept = {name: value for name, value in address.query.items() if name not in LOOSE}
    query = {**kept, **options, option: file}
    return address.set(drivername=kind, query=query).render_as_string(hide_password=False)


@cache
def local_copy(file: str, account: str, region: str) -> str:
    """Path of a private copy of `s3://BUCKET/code/DIGEST.pem`, for as long as this process lives. Raises StoreError."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = file.removeprefix("s3://").partition("/")
    try:
        # The owner is named here: to ask who we are takes a service that a private network may not reach.
        answer = Aws(region).client("s3").get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=account)
        content = answer["Body"].read()
    except ClientError as error:
        raise StoreError(f"cannot read '{file}', by which the database is verified: {error_code(error)}") from None
    except BotoCoreError as error:
        raise StoreError(f"cannot read '{file}', by which the database is verified: {error}") from None
    if not key.endswith(f"/{hashlib.sha256(content).hexdigest()[:32]}.pem"):
        raise StoreError(f"'{file}' is not what was put there: deploy the stack again with --database-ca FILE")
    folder = tempfile.mkdtemp(prefix="replicast-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "authorities.pem"
    path.write_bytes(content)
    return str(path)
