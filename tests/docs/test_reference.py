"""The reference of the command line is what its parsers say."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_reference_of_the_command_line_is_up_to_date() -> None:
    command = [sys.executable, "tools/cli_reference.py"]
    printed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    stored = (REPOSITORY / "docs/reference/cli.md").read_text(encoding="utf-8")
    assert stored == printed, "run: python tools/cli_reference.py > docs/reference/cli.md"
