"""What it takes to build again the environment in which a run's model ran."""

from __future__ import annotations

from collections.abc import Mapping

NO_PACKAGES = {"replicast", "python", "R"}


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
