"""The pages of the documentation: their commands run, in order, and their links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "examples").rglob("*.md")]
)
FENCE = re.compile(r"^```(\w+)?(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
NOT_HERE = ("make ", "git clone", "python -m pip", "pip install", "aws ", "replicast aws", "docker ")
"""Commands that set up a machine or reach the network are tested elsewhere or by a person."""


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def steps(text: str) -> list[tuple[str, list[str]]]:
    """Each command with the lines that the page shows under it."""
    found: list[tuple[str, list[str]]] = []
    for language, _, body in FENCE.findall(text):
        if language == "console":
            for line in body.replace("\\\n", "").splitlines():
                if line.startswith("$ "):
                    found.append((line[2:].strip(), []))
                elif line.strip():
                    found[-1][1].append(line.rstrip())
    return found


def commands(text: str) -> list[str]:
    return [command for command, _ in steps(text)]


def check_shown(page: Path, command: str, shown: list[str], printed: str) -> None:
    """Every line that a page shows was printed, in the page's order; what was printed beside may be left out."""
    lines = iter(line.rstrip() for line in printed.splitlines())
    for line in shown:
        assert line in lines, f"{name_of(page)}: $ {command}\ndid not print, or not in its place:\n{line}\n{printed}"


def runs(page: Path) -> bool:
    return any(not command.startswith(NOT_HERE) for command in commands(page.read_text(encoding="utf-8")))


def needs_r(page: Path) -> bool:
    text = page.read_text(encoding="utf-8")
    return bool(re.search(r"\.R\b|Rscript", " ".join(commands(text))))


def needs_simmer(page: Path) -> bool:
    return "library(simmer)" in page.read_text(encoding="utf-8")


def parameters() -> list[object]:
    chosen = []
    for page in PAGES:
        if runs(page) and page.parent.name != "examples" and "aws" not in page.name:
            marks = [pytest.mark.r] if needs_r(page) else []
            marks += [pytest.mark.simmer] if needs_simmer(page) else []
            chosen.append(pytest.param(page, id=name_of(page), marks=marks))
    return chosen


@pytest.mark.long
@pytest.mark.parametrize("page", parameters())
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for _, title, body in FENCE.findall(text):
        if title:
            path = tmp_path / title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
    if "examples" in page.parts:
        subprocess.run(["cp", "-r", f"{REPOSITORY / 'examples'}", str(tmp_path)], check=True)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command, shown in steps(text):
        if command.startswith(NOT_HERE):
            continue
        done = subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
            timeout=240, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        check_shown(page, command, shown, done.stdout + "\n" + done.stderr)


@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES])
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{name_of(page)} links to {target}, which is not there"
