"""What is published says the same everywhere, and its documentation reaches every page."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
Call = Callable[..., subprocess.CompletedProcess[str]]


def test_the_version_is_the_same_everywhere() -> None:
    assert re.search(
        rf"^version: {re.escape(PROJECT['version'])}$", (REPOSITORY / "CITATION.cff").read_text(), re.MULTILINE
    )
    versions = re.findall(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == PROJECT["version"]


def test_every_page_lies_where_the_navigation_finds_it() -> None:
    """A page that mkdocs.yml does not name is added by its folder; one in another folder would be lost."""
    named = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    docs = REPOSITORY / "docs"
    folders = {page.parent.relative_to(docs).as_posix() for page in docs.rglob("*.md")}
    assert folders <= {".", "how-to", "reference", "explanation", "decisions"}
    lost = [page for page in re.findall(r": (\S+\.md)$", named, re.MULTILINE) if not (docs / page).exists()]
    assert lost == []


def test_every_extra_has_its_versions_in_the_constraints() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    wanted = [one for extra in PROJECT["optional-dependencies"].values() for one in extra] + PROJECT["dependencies"]
    names = {re.split(r"[<>=\[ ]", one)[0].lower().replace("_", "-") for one in wanted} - {"replicast"}
    assert names - pinned == set()


def test_every_page_is_linked_from_the_first_one() -> None:
    docs = REPOSITORY / "docs"
    index = (docs / "index.md").read_text(encoding="utf-8")
    pages = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md") if page.parent.name != "decisions"}
    assert pages - set(re.findall(r"\]\(([^)#]+\.md)\)", index)) == {"index.md"}


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 90


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_every_command(replicast: Call, shell: str) -> None:
    done = replicast("completion", shell)
    assert done.returncode == 0, done.stderr
    for word in ("summary", "delete", "--replications" if shell != "fish" else "replications"):
        assert word in done.stdout
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=False).returncode == 0


def test_a_shell_that_is_none_is_refused(replicast: Call) -> None:
    assert replicast("completion", "cmd").returncode == 2


def test_completion_in_bash_offers_what_fits(replicast: Call) -> None:
    script = replicast("completion", "bash").stdout
    asked = "\nCOMP_WORDS=(replicast summ); COMP_CWORD=1; _shtab_replicast; echo ${COMPREPLY[@]}"
    done = subprocess.run(["bash", "-c", script + asked], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["summary"], done.stderr


def test_every_page_of_help_in_r_has_its_place_on_the_site_of_pkgdown() -> None:
    """pkgdown refuses a topic that its index leaves out, and an index that names none."""
    r = REPOSITORY / "r"
    exported = re.findall(r"^export\((\S+)\)$", (r / "NAMESPACE").read_text(encoding="utf-8"), re.MULTILINE)
    topics = [
        set(re.findall(r"^\\alias\{(.+)\}$", page.read_text(encoding="utf-8"), re.MULTILINE))
        for page in (r / "man").glob("*.Rd")
    ]
    index = (r / "_pkgdown.yml").read_text(encoding="utf-8")
    named = [name for line in re.findall(r"contents: \[?([^\]\n]+)", index) for name in line.split(", ")]
    aliases = set().union(*topics)
    assert set(exported) <= aliases
    assert set(named) <= aliases
    assert [topic for topic in topics if not topic & set(named)] == []
