"""Names in an object store: what a scenario, a table, a part and a kept file are called there."""

from __future__ import annotations

import os
import re
import time
from urllib.parse import quote

METRICS, LEDGER, MANIFESTS = "metrics", "replications", "manifests"
MANIFEST_NAME = re.compile(r"(\d+)-(\d+)\.(\d+)\.(\d+)\.(\d+)\.([0-9a-z]+)\.([0-9a-f]{32})\.json")
"""first, last, failed, number of files, their bytes with those of the manifest, token, digest of the manifest."""
SET_ASIDE = ".damaged"
"""Beside a manifest: what it commits does not fit its digest, and counts as missing."""
METRICS_NAME = re.compile(r"(\d+)-(\d+)\.(\d+)\.([0-9a-z]+)\.([0-9a-f]{8})\.parquet")
"""As replicast 0.1.0 committed a part, without a manifest: first, last, failed, token, schema."""
TABLE_NAME = re.compile(r"(\d+)-(\d+)\.([0-9a-z]+)(?:\.([0-9a-f]{8}))?\.parquet")
ARTEFACT = re.compile(r"artefacts/scenario=([^/]*)/replication=(\d+)/(.+)", re.DOTALL)
UNSAFE = re.compile(r"[\x00-\x1f\x7f]|#(?=\d+(?:/|$))")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_token() -> str:
    """A token that sorts by time of commit and is unique without asking anyone."""
    number, text = time.time_ns() // 1000, ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text.rjust(11, "0") + os.urandom(4).hex()


def encode_name(name: str) -> str:
    """A scenario's or table's name as one path segment that no tool takes for a Hive partition."""
    return quote(name, safe=" ,+-_@~").replace(".", "%2E") if name.startswith(".") else quote(name, safe=" ,+-_.@~")


def safe_name(name: str) -> str:
    """A file's name with what no store takes percent-encoded: control characters, and `#1` at the end."""
    return UNSAFE.sub(lambda found: quote(found[0], safe=""), name)


def artefact_folder(scenario: str, replication: int) -> str:
    return f"artefacts/scenario={encode_name(scenario)}/replication={replication:06d}"


def one_line(error: BaseException) -> str:
    """An error's message without obstore's debug dump."""
    text = str(error).split("\n\nDebug source:")[0]
    return " ".join(text.split())[:400] or type(error).__name__
