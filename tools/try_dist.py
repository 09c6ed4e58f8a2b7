"""Installs the built wheel into an empty environment and runs the tutorial from it: python tools/try_dist.py dist"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w+)?(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_HERE = ("make ", "git clone", "python -m pip", "pip install")
UNWANTED = ("demo-results", "/runs/", ".parquet", ".venv")
MOST_MEGABYTES = 5


def main(folder: Path) -> None:
    check_sources(next(folder.glob("*.tar.gz")))
    wheel = next(folder.glob("*.whl"))
    with tempfile.TemporaryDirectory(prefix="replicast-dist-") as scratch:
        place = Path(scratch, "venv")
        venv.create(place, with_pip=True)
        python = place / "bin" / "python"
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        constraints = REPOSITORY / "constraints.txt"
        subprocess.run([*install, "--constraint", constraints, f"{wheel.resolve()}[notebook,report]"], check=True)
        run_page(REPOSITORY / "docs" / "tutorial.md", Path(scratch, "work"), place / "bin")
    print(f"{wheel.name}: installed into an empty environment, the tutorial runs from it")


def check_sources(archive: Path) -> None:
    with tarfile.open(archive) as opened:
        unwanted = [name for name in opened.getnames() if any(part in name for part in UNWANTED)]
    if unwanted or archive.stat().st_size > MOST_MEGABYTES << 20:
        raise SystemExit(f"{archive.name} ({archive.stat().st_size:,} bytes) holds what it should not: {unwanted[:5]}")


def run_page(page: Path, folder: Path, binaries: Path) -> None:
    """Writes the page's files and runs its commands, in a folder of their own, without what this process has set."""
    folder.mkdir()
    text = page.read_text(encoding="utf-8")
    for language, title, body in FENCE.findall(text):
        if title:
            (folder / title).write_text(body, encoding="utf-8")
        if language != "console":
            continue
        for line in body.replace("\\\n", "").splitlines():
            if line.startswith("$ ") and not line[2:].startswith(NOT_HERE):
                run_command(line[2:], folder, binaries)


def run_command(command: str, folder: Path, binaries: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "REPLICAST"))}
    environment = kept | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"$ {command}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
