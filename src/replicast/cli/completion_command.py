"""`completion`: what a shell needs to complete commands and options, from the declarations that parse them."""

from __future__ import annotations

import argparse

from replicast.core.errors import RequestError

from .screen import print_json

SHELLS = ("bash", "zsh", "fish", "tcsh")


def completion(chosen: argparse.Namespace) -> int:
    from .arguments import build_parser

    if chosen.shell not in SHELLS:
        raise RequestError(f"completion is for {', '.join(SHELLS)}, and '{chosen.shell}' is none of them")
    try:
        import shtab
    except ImportError:
        raise RequestError("completion needs shtab: python -m pip install 'replicast[completion]'") from None
    script = shtab.complete(build_parser()[0], shell=chosen.shell)
    if chosen.json:
        print_json({"shell": chosen.shell, "script": script})
    else:
        print(script)
    return 0
