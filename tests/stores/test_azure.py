"""A store on Azure, against Microsoft's own emulator (Azurite), which `make test-long` installs where npm is."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import free_port

from replicast.core.errors import StoreError
from replicast.stores import open_store
from replicast.testing import STORE_CHECKS, check_store
from replicast.testing.stored import new_run, outcome
from replicast.testing.stores import Check

pytestmark = pytest.mark.long

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Not secret: every Azurite's, as its documentation says."""
CONTAINER = "runs"
Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def azurite() -> Iterator[str]:
    """The address of an emulator with a container of that name."""
    program = Path(sys.prefix) / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        pytest.skip("Azurite is not installed; where npm is, `make test-long` installs it")
    port = free_port()
    command = [
        str(program),
        "--inMemoryPersistence",
        "--disableTelemetry",
        "--skipApiVersionCheck",
        "--blobPort",
        str(port),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("successfully listens" in line for line in process.stdout), "Azurite did not start"
            make_container(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def make_container(address: str) -> None:
    """Shared Key authorization: learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key."""
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    signed = "\n".join(
        ["PUT", *[""] * 11, *(f"{name}:{value}" for name, value in headers.items()),
         f"/{ACCOUNT}/{ACCOUNT}/{CONTAINER}", "restype:container"]
    )  # fmt: skip
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()).decode()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
    url = f"{address}/{ACCOUNT}/{CONTAINER}?restype=container"
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)) as answer:
        assert answer.status == 201


@pytest.fixture
def account(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store, and processes that save into it, find in the environment."""
    monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", azurite)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_a_store_on_azure_conforms(check: Check) -> None:
    check_store(lambda: open_store(f"az://{CONTAINER}/life"), [check])


@pytest.mark.usefixtures("account")
def test_a_container_that_is_not_there_is_said() -> None:
    with pytest.raises(StoreError, match="az://nowhere/life"):
        open_store("az://nowhere/life").save(new_run(), [outcome(1)])


@pytest.mark.usefixtures("account")
def test_a_run_is_kept_there_and_collated_as_at_home(
    replicast: Call, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model("def simulate(rng):\n    return {'x': rng.random(), 't': [{'v': 1.5}, {'v': rng.random()}]}\n")
    for store in ("here", f"az://{CONTAINER}/home"):
        run = ("run", model, "-n", 5, "--seed", 1, "--name", "one", "--store", store)
        assert replicast(*run).returncode == 0
        assert replicast("resume", "one", "--store", store, "-n", 8).returncode == 0
        assert replicast("collate", "one", "--store", store, "-o", store.partition(":")[0]).returncode == 0
    for name in ("metrics.csv", "t.csv", "summary.csv"):
        assert (tmp_path / "az" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
