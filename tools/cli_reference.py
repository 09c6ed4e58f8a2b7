"""Prints docs/reference/cli.md, from the parsers themselves: python tools/cli_reference.py > docs/reference/cli.md"""

from __future__ import annotations

import os

os.environ["COLUMNS"] = "110"

from replicast.cli.arguments import build_parser

INTRODUCTION = """\
# Command line

Results go to standard output, progress and messages to standard error. Every command has `--json`. `RUN` is a run's
ID, a unique beginning of one, or `latest`, which it is where none is named.

| exit status | means |
|---|---|
| 0 | all done; failures, if any, within `--tolerate` |
| 1 | finished, but replications (too many) or `collate` failed; or verify, check or replay found a difference |
| 2 | the request is wrong; nothing was started |
| 3 | the executor or the store failed |
| 4 | finished, but the precision asked for was not reached (several at once: 3, then 1, then 4) |
| 130 | interrupted; what was simulated is stored |

On a terminal, a run shows a bar: done, failed, rate, time left, and the mean ± half-width of the first metric so far,
in the first scenario. Not on a terminal, it is a plain line every ten seconds. Ctrl-C stops cleanly and says how to go
on; a second one stops at once.

`REPLICAST_STORE` names the store where `--store` does not.
"""


def main() -> None:
    parser, commands = build_parser()
    print(INTRODUCTION)
    for name in ("replicast", *commands):
        chosen = parser if name == "replicast" else commands[name]
        title = name if name == "replicast" else f"replicast {name}"
        print(f"## {title}\n\n```\n{chosen.format_help().rstrip()}\n```\n")


if __name__ == "__main__":
    main()
