"""What every test may use; in CI, only a test of simmer, Docker or a real account may be skipped.

REPLICAST_NO_SKIPS=1 makes every other skip a failure, REPLICAST_NO_SKIPS=all every skip.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from pasting import check_hints

settings.register_profile("replicast", deadline=None, max_examples=50)
settings.load_profile("replicast")

MAY_BE_SKIPPED = ("simmer", "renv", "docker", "real_aws")
REPOSITORY = Path(__file__).resolve().parent.parent


@functools.cache
def r_has(package: str = "") -> bool:
    if shutil.which("Rscript") is None:
        return False
    code = f"quit(status = !requireNamespace('{package or 'stats'}', quietly = TRUE))"
    return subprocess.run(["Rscript", "--vanilla", "-e", code], capture_output=True, check=False).returncode == 0


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("r") and not r_has():
        pytest.skip("R is not installed (Debian: apt install r-base-core)")
    if item.get_closest_marker("simmer") and not r_has("simmer"):
        pytest.skip("R's package simmer is not installed (in R: install.packages('simmer'))")
    if item.get_closest_marker("renv") and not r_has("renv"):
        pytest.skip("R's package renv is not installed (in R: install.packages('renv'))")
    if item.get_closest_marker("office") and not shutil.which("soffice"):
        pytest.skip("LibreOffice is not installed (Debian: apt install libreoffice-calc-nogui)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    forbidden = os.environ.get("REPLICAST_NO_SKIPS", "")
    allowed = forbidden != "all" and any(item.get_closest_marker(name) for name in MAY_BE_SKIPPED)
    if forbidden and report.skipped and not allowed and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where no skip is allowed: {report.longrepr}"
    return report


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model to a folder of its own and returns its path."""

    def write(text: str, name: str = "model.py") -> Path:
        path = tmp_path / "project" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def replicast(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the installed command line in `tmp_path`, as a user would, who can paste what it says to type."""

    def call(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "replicast", *map(str, arguments)]
        options = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 120} | options
        done = subprocess.run(command, check=False, **options)
        if isinstance(done.stderr, str) and not {"-h", "--help", "help"} & set(command):
            check_hints(command, done.stderr)
        return done

    return call


@pytest.fixture
def on_a_terminal(tmp_path: Path) -> Callable[..., str]:
    """What a command prints on a terminal of that many columns, without colours: to standard output, or `both`."""

    def show(
        columns: int, *command: str, status: int = 0, both: bool = False, cwd: Path = tmp_path, term: str = "xterm"
    ) -> str:
        ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (40, columns))
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": term}
        arguments = [sys.executable, "-m", "replicast", *command]
        process = subprocess.Popen(
            arguments, cwd=cwd, stdin=subprocess.DEVNULL, stdout=theirs,
            stderr=theirs if both else subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        os.close(theirs)
        printed = b""
        with suppress(OSError):  # EIO, once the other end is closed
            while chunk := os.read(ours, 1 << 16):
                printed += chunk
        os.close(ours)
        assert process.wait(60) == status, printed.decode()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.decode())

    return show
