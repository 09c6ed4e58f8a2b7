"""What help shows: commands and options by what they are for, with examples; what was meant by a name that is none."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence

from replicast.core.errors import nearest

COMMANDS = {
    "run a model": ("init", "check", "run", "resume", "status", "cancel", "estimate", "aws"),
    "see what came out": ("summary", "compare", "collate", "artefacts", "report", "ui", "sql"),
    "trust it": (
        "failures", "warnings", "replay", "verify", "warmup", "steady", "sensitivity", "performance", "environment",
    ),
    "keep runs": ("list", "tag", "note", "delete", "copy"),
    "this machine": ("doctor", "completion"),
}  # fmt: skip
OPTIONS = {
    "the experiment": (
        "--param", "--scenario", "--grid", "--design", "--experiment", "--seed", "--streams", "--antithetic", "--keep",
        "--collate", "--project",
    ),
    "how many": (
        "--replications", "--precision", "--max", "--look-ahead", "--select", "--indifference", "--budget", "--control",
        "--needed", "--sample", "--retry-failed",
    ),
    "where and how": (
        "--on", "--workers", "--memory", "--timeout", "--retries", "--tolerate", "--detach", "--stack", "--max-cost",
        "--accept-changes", "--trust", "--join",
    ),
    "where it is kept": ("--store", "--name", "--from", "--to"),
    "what is shown": (
        "--output", "--format", "--figures", "--figure-format", "--table", "--top", "--csv", "--json", "--quiet",
        "--watch", "--help",
    ),
}  # fmt: skip
EXAMPLES = {
    "run": (
        ("replicast run model.py -n 100 --seed 42 --output results", "a model to its tables"),
        ("replicast run model.R --scenario today: --scenario busier:beds=12", "two scenarios"),
        ("replicast run model.py --precision wait=5% --max 2000", "until it is known well enough"),
        ("replicast run --experiment experiment.toml", "as a file says"),
    ),
    "resume": (
        ("replicast resume", "what is missing of the latest run"),
        ("replicast resume first -n 1000", "up to 1,000 of each scenario"),
    ),
    "status": (("replicast status --watch", "the latest run, until nobody is at work on it"),),
    "list": (("replicast list --tag paper --top 20", "the newest 20 with that tag"),),
    "summary": (
        ("replicast summary --top 20", "the first rows of many"),
        ("replicast summary first --csv > summary.csv", "every digit, to a file"),
    ),
    "compare": (
        ("replicast compare --baseline today", "each scenario against one"),
        ("replicast compare --better wait=lower", "and which may be the best"),
    ),
    "collate": (("replicast collate --output results --format parquet", "a file a table"),),
    "failures": (("replicast failures --top 3", "the first three, with their tracebacks"),),
    "warnings": (("replicast warnings --top 3", "the first three replications that warned"),),
    "replay": (("replicast replay 17 --scenario busier --pdb", "into the debugger where it fails"),),
    "report": (
        ("replicast report first --output first.html", "a page to send"),
        ("replicast report first --output first.md --figures figures", "Markdown, and pictures for a paper"),
    ),
    "tag": (("replicast tag first paper", "then: replicast list --tag paper"),),
    "note": (("replicast note first 'with the new rota'", "shown by status and list"),),
    "delete": (("replicast delete 20261123T141502-k3f9x2 --yes", "gone, with all its results"),),
    "completion": (('eval "$(replicast completion bash)"', "in ~/.bashrc"),),
}


def _by_name(names: Mapping[str, str]) -> dict[str, str]:
    return {name: target for target, others in names.items() for name in others.split()}


MEANT_COMMANDS = _by_name({
    "delete": "rm remove del", "list": "ls runs", "status": "show info", "cancel": "stop kill abort",
    "run": "start exec", "resume": "continue restart topup", "summary": "results stats", "failures": "errors",
    "collate": "export merge", "compare": "diff", "report": "html", "replay": "rerun debug", "init": "new create",
    "ui": "serve web dashboard", "tag": "label", "note": "comment", "sql": "query", "copy": "cp",
    "environment": "env", "completion": "autocomplete",
})  # fmt: skip
MEANT_OPTIONS = _by_name(
    {
        "--workers": "--jobs -j --cores --processes --cpus --threads -w",
        "--output": "--out --outdir --output-dir --dir --folder",
        "--replications": "--reps --replicates --iterations --repetitions --runs --number -N",
        "--param": "--params --parameter --set -p",
        "--seed": "--random-seed -s",
        "--on": "--place --executor --backend",
        "--name": "--id --run-id",
        "--experiment": "--config --file",
        "--store": "--database --url",
        "--top": "--limit --head",
        "--detach": "--background",
        "--yes": "--force -f -y",
        "--confidence": "--ci --level",
        "--watch": "--follow",
        "--quiet": "-q --silent",
    }
)

MEANT_PROGRAM = frozenset({"--command", "--cmd", "--program", "--exec"})
PROGRAM_CLAUSE = " (a program and what it takes stand last, behind --)"


def meant(given: str, known: Iterable[str], others: Mapping[str, str]) -> str:
    """A clause that names what was meant by a command or option that is none: ` (did you mean '--workers'?)`."""
    from difflib import get_close_matches

    targets = {name: name for name in known}
    targets |= {name: target for name, target in others.items() if target in targets}
    bare = {name.lstrip("-"): target for name, target in targets.items()}  # dashes, which all share, are no likeness
    close = get_close_matches(given.lstrip("-").casefold(), bare, n=1, cutoff=0.6)
    found = targets.get(given) or (bare[close[0]] if close else None)
    return f" (did you mean '{found}'?)" if found else nearest("", targets.values())


def overview(commands: Mapping[str, str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(what for, [(command, what it does)]) of each group that has one."""
    placed = {name for names in COMMANDS.values() for name in names}
    groups = {**COMMANDS, "more": tuple(name for name in commands if name not in placed)}
    for title, names in groups.items():
        own = [(name, commands[name]) for name in names if name in commands]
        if own:
            yield title, own


def sections(actions: Sequence[argparse.Action]) -> Iterator[tuple[str, list[argparse.Action]]]:
    """A command's arguments and options by what they are for."""
    given = [action for action in actions if not action.option_strings]
    options = [action for action in actions if action.option_strings]
    if given:
        yield "arguments", given
    where = {name: title for title, names in OPTIONS.items() for name in names}
    titles = [next((where[name] for name in action.option_strings if name in where), of_place(action) or "options")
              for action in options]  # fmt: skip
    places = dict.fromkeys(title for title in map(of_place, options) if title and title in titles)
    for title in (*list(OPTIONS)[:-1], *places, "options", list(OPTIONS)[-1]):
        own = [action for action, own in zip(options, titles, strict=True) if own == title]
        if own:
            yield title, own


def of_place(action: argparse.Action) -> str:
    """Under what an option of a place's own is shown; it is kept under `place_options.PLACE.KEY`."""
    return f"with --on {action.dest.split('.')[1]}" if action.dest.startswith("place_options.") else ""


def examples(command: str) -> str | None:
    if command not in EXAMPLES:
        return None
    lines = [f"  {line:<58}  {why}" if len(line) <= 58 else f"  {line}\n  {'':<58}  {why}"
             for line, why in EXAMPLES[command]]  # fmt: skip
    return "\n".join(["examples:", *lines])
