"""`doctor`: what of replicast works on this machine, and how to get the rest."""

from __future__ import annotations

import argparse
import importlib.util
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from replicast.core.errors import ReplicastError
from replicast.core.spoken import counted
from replicast.core.version import __version__

from .screen import print_json, show, show_words

OK, ABSENT, BROKEN = "ok", "absent", "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` is ok, absent (an option that is not installed) or broken."""

    what: str
    state: str
    detail: str


def doctor(chosen: argparse.Namespace) -> int:
    findings = [*_essentials(chosen.store), *_options()]
    broken = any(finding.state == BROKEN for finding in findings)
    if chosen.json:
        print_json({"ok": not broken, "findings": [asdict(finding) for finding in findings]})
        return 1 if broken else 0
    marks = {OK: "✓", ABSENT: "–", BROKEN: "✗"}
    for finding in findings:
        line = f"{marks[finding.state]} {finding.what:<12} {finding.detail}"
        show(line) if finding.state == ABSENT else show_words(line, indent=" " * 15)  # an absent one's has a command
    return 1 if broken else 0


def _essentials(store: str | None) -> Iterator[Finding]:
    from replicast.machine.processes import available_cores

    yield Finding("replicast", OK, f"{__version__}, Python {platform.python_version()}, {platform.system()}")
    yield Finding("cores", OK, f"{available_cores()}")
    yield _store(store)
    yield _scratch()


def _store(store: str | None) -> Finding:
    from replicast.asking.settings import default_store
    from replicast.stores import open_named_store
    from replicast.stores.objects import can_be_written

    name = store or default_store()
    try:
        opened = open_named_store(name)
        count = len(opened.runs()) if "://" in name or Path(name).exists() else 0
        writable = "://" in name or can_be_written(Path(name))
    except (ReplicastError, ImportError) as error:
        return Finding("store", BROKEN, f"{name}: {error}")
    lacking = "" if writable else ", cannot be written"
    return Finding("store", OK if writable else BROKEN, f"{name}, {counted(count, 'run')}{lacking}")


def _scratch() -> Finding:
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    state = OK if free > 500 << 20 else BROKEN
    return Finding("scratch", state, f"{folder}, {free / 2**30:.1f} GiB free")


def _options() -> Iterator[Finding]:
    yield _r()
    yield _r_package("simmer", "R models that use it")
    extras = {"boto3": "aws", "sqlalchemy": "sql", "cloudpickle": "notebook", "scipy": "design"}
    for module, extra in extras.items():
        if importlib.util.find_spec(module):
            yield Finding(module, OK, f"extra '{extra}'")
        else:
            yield Finding(module, ABSENT, f"for the extra '{extra}': python -m pip install 'replicast[{extra}]'")


def _r() -> Finding:
    if shutil.which("Rscript") is None:
        return Finding(
            "R", ABSENT, "for R models: install R so that Rscript is on the PATH (Debian: apt install r-base-core)"
        )
    asked = subprocess.run(["Rscript", "--version"], capture_output=True, text=True, check=False)
    lines = (asked.stdout + asked.stderr).splitlines()
    return Finding("R", OK if asked.returncode == 0 else BROKEN, lines[0] if lines else "Rscript says nothing")


def _r_package(name: str, what: str) -> Finding:
    if shutil.which("Rscript") is None:
        return Finding(name, ABSENT, f"for {what}; needs R first")
    code = f'cat(if (requireNamespace("{name}", quietly = TRUE)) as.character(packageVersion("{name}")))'
    found = subprocess.run(["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, check=False).stdout
    return Finding(name, OK, found) if found else Finding(name, ABSENT, f'for {what}: install.packages("{name}")')
