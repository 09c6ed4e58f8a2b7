"""Ends every process of a pool when the process that owns the pool is gone, however it went.

Run as a script, alone with the standard library, so that it starts in a moment. Arguments: the pool's token, its
scratch folder, where modules are found (JSON). Standard input: a process group a line, then "done" or end of file.
"""

import contextlib
import json
import os
import shutil
import signal
import sys


def main() -> None:
    token, scratch, path = sys.argv[1:4]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups = []
    for line in sys.stdin:
        if line.strip() == "done":
            return
        groups.append(int(line))
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    sys.path[:] = json.loads(path)
    with contextlib.suppress(ImportError):
        from replicast.machine.processes import end_carriers

        end_carriers("REPLICAST_POOL", token)
    if os.path.basename(scratch).startswith("replicast-"):  # noqa: PTH119 - pathlib takes as long as all the rest
        shutil.rmtree(scratch, ignore_errors=True)


main()
