"""replicast beside what users would pick instead: the same work, in interleaved runs, as ratios.

    python benchmarks/bench.py [--rounds K] [--only TEXT]... [--quick] [--write]

Every contestant is a whole process, from its start to its end, so that importing counts. Ratios are taken round by
round, ours over theirs: their median, and the least and greatest. `cpu` is processor time with that of all children,
which neighbours on the machine disturb less than wall time. `--write` puts it all into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.metadata
import os
import platform
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from measuring import Taken, adopt_orphans, take
from rows import HERE, Contest, Row, all_rows

import replicast

RESULTS = HERE / "RESULTS.md"
PACKAGES = ("replicast", "numpy", "polars", "arro3-core", "obstore", "simpy", "joblib")
HEAD = """\
| work | contestant | wall s (least … most) | CPU s | peak MiB | ours / theirs, wall | CPU | goal |
|---|---|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", default=[], help="rows whose name holds this text (repeatable)")
    parser.add_argument("--quick", action="store_true", help="without the rows that take minutes")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS.name}")
    chosen = parser.parse_args()
    adopt_orphans()
    rows = [row for row in all_rows() if not (chosen.quick and row.slow)]
    rows = [row for row in rows if not chosen.only or any(text in row.name for text in chosen.only)]
    compileall.compile_dir(Path(replicast.__file__).parent, quiet=1)  # as pip does where it installs
    lines, foreign, about = [*HEAD.splitlines()], list[float](), ""
    print("\n".join(lines))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for row in rows:
            taken = measure(row, Path(folder), chosen.rounds)
            foreign += [one.foreign for own in taken for one in own]
            for line in lines_of(row, taken):
                print(line, flush=True)
                lines.append(line)
            about = surroundings(chosen.rounds, foreign)
            if chosen.write:  # after each row, so that what is interrupted is not lost
                RESULTS.write_text(f"# What `make bench` printed\n\n{about}\n\n" + "\n".join(lines) + "\n")
    print("\n" + about)


def measure(row: Row, folder: Path, rounds: int) -> list[list[Taken]]:
    """By contest, what each round took; before them one round that does not count."""
    if row.prepare is not None:
        row.prepare(folder)
    taken: list[list[Taken]] = [[] for _ in row.contests]
    for number in range(-1, rounds):
        for own, contest in zip(taken, row.contests, strict=True):
            one = perform(contest, folder)
            if number >= 0:
                own.append(one)
    return taken


def perform(contest: Contest, folder: Path) -> Taken:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        own = Path(name)
        log = own / "printed"
        until = None
        if contest.first == "printed":
            until = lambda: log.exists() and log.stat().st_size > 0  # noqa: E731
        elif contest.first:
            until = lambda: any(own.glob(contest.first))  # noqa: E731
        return take(contest.command(own), log, until)


def lines_of(row: Row, taken: Sequence[Sequence[Taken]]) -> Iterator[str]:
    ours = taken[0]
    for contest, own in zip(row.contests, taken, strict=True):
        walls = [one.wall for one in own]
        cells = [row.name if own is ours else "", contest.name, spread(walls),
                 f"{statistics.median(one.cpu for one in own):.2f}", f"{max(one.peak for one in own):.0f}"]  # fmt: skip
        if own is not ours:
            pairs = list(zip(ours, own, strict=True))
            cells += [spread([a.wall / b.wall for a, b in pairs]), spread([a.cpu / b.cpu for a, b in pairs]),
                      f"≤ {contest.goal}" if contest.goal else ""]  # fmt: skip
        else:
            cells += ["", "", ""]
        yield "| " + " | ".join(cells) + " |"


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} … {max(values):.2f})"


def surroundings(rounds: int, foreign: Sequence[float]) -> str:
    versions = ", ".join(f"{name} {version}" for name in PACKAGES if (version := version_of(name)))
    return (
        f"`python benchmarks/bench.py {shlex.join(sys.argv[1:])}`, {time.strftime('%Y-%m-%d')}, {rounds} interleaved "
        f"rounds after one that does not count.\n\n"
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {processor()}; Python "
        f"{platform.python_version()}, {versions}.\n\n"
        f"Foreign load: other processes kept {statistics.median(foreign):.2f} cores busy meanwhile (median of all "
        f"runs; least {min(foreign):.2f}, most {max(foreign):.2f})."
    )


def version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    main()
