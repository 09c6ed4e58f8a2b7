"""Whose certificate the database of a stack has to show: authorities, in a file that is kept in the stack's bucket.

RDS signs with authorities of its own, which no system's store has, and which are published as one file
(docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html). A proxy's is signed by Amazon's roots
(repost.aws/knowledge-center/rds-aurora-mysql-connect-proxy), which boto3 brings along.
"""

from __future__ import annotations

import hashlib
import ssl
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from replicast.core.errors import RequestError

from .access import Aws
from .image import is_here
from .settings import Settings
from .stack import Stack, StackState
from .verification import AUTHORITIES

PUBLISHED = {
    "aws": "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem",
    "aws-us-gov": "https://truststore.pki.us-gov-west-1.rds.amazonaws.com/global/global-bundle.pem",
    "aws-cn": "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/global/global-bundle.pem",
}
FETCH_SECONDS, MOST_BYTES = 20.0, 4 << 20


def with_authorities(stack: Stack, state: StackState, settings: Settings, given: str | None) -> tuple[Settings, str]:
    """The settings with what functions verify the database by, and what is to be said where they do not.

    `given` is a file of authorities. Without one, those of a database that replicast made are fetched from where AWS
    publishes them, and those of before are kept where that fails. Raises RequestError for a file that is none.
    """
    before = state.parameters
    url = before.get("Database", "") if settings.database is None else settings.database
    if not url:
        if given:
            raise RequestError("--database-ca is of results in a database: give --database or --database-url-secret")
        return replace(settings, database_authorities=""), ""
    known = before.get("DatabaseAuthorities", "")
    if before.get("DatabaseSecret") != (settings.database_secret or before.get("DatabaseSecret")):
        known = ""
    content, why = b"", ""
    if given:
        content = checked(Path(given).read_bytes(), given) if Path(given).is_file() else missing(given)
    elif facts_of(url).get("host") and (settings.database is not None or not known):
        content, why = fetched(stack.aws)
    if content:
        known = f"code/{hashlib.sha256(content).hexdigest()[:32]}.pem"
        stack.put(known, content)
    if known:
        named = f"s3://{stack.bucket_name}/{known}"
        return replace(settings, database=with_fact(url, named), database_authorities=known), ""
    return replace(settings, database_authorities=""), unverified(why)


def missing(path: str) -> bytes:
    raise RequestError(f"there is no file '{path}': --database-ca takes the certificates of authorities, as PEM")


def unverified(why: str) -> str:
    what = f" ({why})" if why else ", unless the secret's URL says how"
    return (
        f"THE DATABASE'S CERTIFICATE IS NOT VERIFIED{what}: whoever stands between functions and database could read "
        "the password and change results; give the authorities that signed it: --database-ca FILE"
    )


def fetched(aws: Aws) -> tuple[bytes, str]:
    """RDS's authorities, as published, with Amazon's roots; or nothing, and why."""
    if is_here(aws):
        return b"", "an emulator has no certificate of Amazon's"
    url = PUBLISHED.get(aws.partition, PUBLISHED["aws"])
    try:
        with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:
            content = answer.read(MOST_BYTES + 1)
        return checked(content, url, of="Amazon") + amazons_roots(), ""
    except (OSError, RequestError) as error:
        return b"", f"{url}: {error}"


def checked(content: bytes, name: str, *, of: str = "") -> bytes:
    """The content, if it holds authorities of that organisation of which one at least is valid. Raises RequestError."""
    try:
        found = authorities(content)
    except (ssl.SSLError, ValueError) as error:
        raise RequestError(f"'{name}' holds no certificates as PEM: {error}") from None
    if not found:
        raise RequestError(f"'{name}' holds no certificate of an authority")
    others = [one for one in found if not organisation(one).startswith(of)]
    if others:
        raise RequestError(
            f"'{name}' holds a certificate of '{organisation(others[0])}', and only {of}'s were expected"
        )
    if all(ssl.cert_time_to_seconds(one["notAfter"]) < time.time() for one in found):
        raise RequestError(f"every certificate in '{name}' has expired, the last on {found[-1]['notAfter']}")
    return content if content.endswith(b"\n") else content + b"\n"


def authorities(content: bytes) -> list[dict[str, Any]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=content.decode("ascii", errors="replace"))
    return context.get_ca_certs()


def organisation(certificate: dict[str, Any]) -> str:
    parts = {key: value for part in certificate.get("subject", ()) for key, value in part}
    return str(parts.get("organizationName", ""))


def amazons_roots() -> bytes:
    """Those of the roots that boto3 trusts which are Amazon's."""
    import botocore

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(Path(botocore.__file__).with_name("cacert.pem")))
    pairs = zip(context.get_ca_certs(), context.get_ca_certs(binary_form=True), strict=True)
    return "".join(ssl.DER_cert_to_PEM_cert(der) for one, der in pairs if organisation(one) == "Amazon").encode()


def facts_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(url.partition("?")[2]))


def with_fact(url: str, file: str) -> str:
    return f"{url.partition('?')[0]}?{urlencode({**facts_of(url), AUTHORITIES: file})}"
