"""`environment`: what it takes to build again the environment in which a run's model ran."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from .opening import open_run
from .screen import print_json, say, show

NO_PACKAGES = {"replicast", "python", "R"}


def environment(chosen: argparse.Namespace) -> int:
    """For a model in Python a requirements.txt, for one in R the lines that install its packages."""
    record = open_run(chosen).record
    versions = record.versions
    if chosen.json:
        print_json({"run": record.id, "language": "R" if "R" in versions else "Python",
                    "versions": dict(versions), "outside": dict(record.outside)})  # fmt: skip
        return 0
    show("\n".join(r_lines(versions) if "R" in versions else requirements(versions)))
    for name, content in record.outside.items():
        say(f"note: imported from outside the project, and in no package: {name} ({content.partition('  ')[2]})")
    return 0


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
