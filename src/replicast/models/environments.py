"""What it takes to build a model's environment again, and which versions of what it is made of are here."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterable, Mapping

NO_PACKAGES = {"replicast", "python", "R"}
ASK_R = (
    "for (n in commandArgs(TRUE)) cat(n, tryCatch(as.character(if (n == 'R') getRversion() else packageVersion(n)), "
    "error = function(e) '-'), '\\n')"
)
R_SECONDS = 60.0


def requirements(versions: Mapping[str, str]) -> list[str]:
    """Lines that pip takes: `pip install -r FILE`."""
    lines = [f"# Python {versions['python']}"] if "python" in versions else []
    if "replicast" in versions:
        lines.append(f"# replicast {versions['replicast']}")
    for name in sorted(versions.keys() - NO_PACKAGES):
        known = versions[name][:1].isdigit()
        lines.append(f"{name}=={versions[name]}" if known else f"# {name}: its version is not known")
    return lines


def r_lines(versions: Mapping[str, str]) -> list[str]:
    """R code: `Rscript FILE`."""
    lines = [f"# R {versions['R']}", 'if (!requireNamespace("remotes")) install.packages("remotes")']
    names = sorted(versions.keys() - NO_PACKAGES)
    return lines + [f'remotes::install_version("{name}", "{versions[name]}", upgrade = "never")' for name in names]


def python_versions(names: Iterable[str]) -> dict[str, str]:
    """Those of this interpreter and of its packages, as far as they are here."""
    import importlib.metadata

    found = dict[str, str]()
    for name in names:
        if name == "python":
            found[name] = platform.python_version()
            continue
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def r_versions(names: Iterable[str]) -> dict[str, str]:
    """Those of the R on the PATH and of its packages; empty where no R answers."""
    import subprocess

    program = shutil.which("Rscript")
    if program is None:
        return {}
    command = [program, "--vanilla", "-e", ASK_R, *(name for name in names if name not in ("replicast", "python"))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=R_SECONDS)
    except subprocess.TimeoutExpired:
        return {}
    pairs = (line.split() for line in done.stdout.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[1] != "-"}
