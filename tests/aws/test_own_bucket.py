"""Every request to a stack's bucket names the owner that it expects, and is signed with the session's credentials."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from replicast.aws.access import Aws
from replicast.core.errors import ReplicastError, StoreError
from replicast.stores.objects import ObjectStore
from replicast.testing import STORE_CHECKS, check_store

from .conftest import REGION

Seen = list[tuple[str, str, dict[str, str]]]


class Listener:
    """Stands before the emulator, hands everything on, and remembers methods, paths and headers."""

    def __init__(self, behind: str) -> None:
        self.seen: Seen = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def hand_on(self) -> None:
                seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                request = Request(behind + self.path, body or None, dict(self.headers), method=self.command)
                try:
                    answer = urlopen(request, timeout=60)
                except OSError as error:
                    answer = error  # type: ignore[assignment]
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                length = answer.headers.get("content-length") if self.command == "HEAD" else None
                self.send_header("content-length", length or str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = hand_on

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def listener(aws: Aws, emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    bucket_of(aws)
    found = Listener(emulator)
    monkeypatch.setenv("AWS_ENDPOINT_URL", found.url)
    yield found
    found.close()


def bucket_of(aws: Aws) -> str:
    name = f"own-{aws.account}"
    aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def signed(headers: dict[str, str]) -> list[str]:
    found = re.search("SignedHeaders=([^, ]+)", headers["authorization"])
    assert found
    return found[1].split(";")


def used(store: ObjectStore) -> None:
    """What a store is asked for in a run's life, and more than one put can hold."""
    assert store.write("r", "run.json", b"{}", new=True)
    assert not store.write("r", "run.json", b"{}", new=True)
    store.write("r", "a b/ä~+%20#.txt", b"x")
    store.write("r", "large", b"0" * (11 << 20))
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"1" * (11 << 20))
        file.flush()
        store.write_file("r", "large", Path(file.name))
    assert (store.read("r", "large") or b"").count(b"1") == 11 << 20
    assert store.read("r", "a b/ä~+%20#.txt") == b"x"
    assert store.read("r", "none") is None
    assert store.runs() == ["r"]
    assert store.documents("r", "") == ["a b/ä~+%20#.txt", "large", "run.json"]
    assert store.documents("r", "a b") == ["a b/ä~+%20#.txt"]
    store.remove("r")
    assert store.documents("r", "") == []


def test_every_request_of_the_stores_names_the_owner_and_signs_that(aws: Aws, listener: Listener) -> None:
    account = aws.account
    listener.seen.clear()
    used(Aws(region=REGION).store(f"s3://own-{account}/some/folder"))
    asked = [one for one in listener.seen if one[1].startswith(f"/own-{account}")]
    assert {method for method, _, _ in asked} == {"GET", "PUT", "POST"}
    assert any("list-type=2" in path for _, path, _ in asked)
    assert any("uploadId" in path for _, path, _ in asked)
    for method, path, headers in asked:
        assert headers.get("x-amz-expected-bucket-owner") == account, (method, path)
        assert "x-amz-expected-bucket-owner" in signed(headers), (method, path)


@pytest.mark.parametrize("own", [True, False])
def test_an_own_bucket_is_listed_as_obstore_lists_it(aws: Aws, own: bool) -> None:
    bucket = bucket_of(aws)
    for root in ("", "/deep/er"):
        used(aws.store(f"s3://{bucket}{root}", own=own))


@pytest.mark.long
def test_a_store_in_an_own_bucket_conforms(aws: Aws) -> None:
    url = f"s3://{bucket_of(aws)}/runs"
    check_store(lambda: aws.store(url), STORE_CHECKS)


def test_a_bucket_that_has_become_somebody_elses_answers_nothing(aws: Aws) -> None:
    url = f"s3://{bucket_of(aws)}/runs"
    store = aws.store(url)
    store.write("r", "run.json", b"{}")
    aws._account = "999999999999"
    squatted = aws.store(url)
    for request in (
        lambda: squatted.read("r", "run.json"),
        lambda: squatted.write("r", "x", b""),
        lambda: squatted.delete("r", "run.json"),
        squatted.runs,
        lambda: squatted.documents("r", ""),
    ):
        with pytest.raises((StoreError, ReplicastError), match=r"(?i)access ?denied|forbidden|403"):
            request()
    assert store.documents("r", "") == ["run.json"]


def test_a_profile_wins_over_keys_in_the_environment_in_the_store_as_in_boto3(
    aws: Aws, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = aws.account
    file = tmp_path / "credentials"
    file.write_text(f"[mine]\naws_access_key_id = {account}\naws_secret_access_key = test\n", encoding="utf-8")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "000000000999")
    listener.seen.clear()
    mine = Aws(region=REGION, profile="mine")
    used(mine.store(f"s3://own-{account}/runs"))
    keys = {re.findall(r"Credential=(\d+)/", headers["authorization"])[0] for _, _, headers in listener.seen}
    assert keys == {account}
