"""What to do next, in R's words, where an R model cannot be loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from replicast.core.errors import nearest

SPLIT = "docs/how-to/split-a-monolith.md"


def for_missing_package(file: str, package: str, folder: Path) -> str:
    """`install.packages` for what can be installed; never for a name that is the project's own."""
    if package in own_names(folder):
        return (
            f"{file} needs the package '{package}', which is this project's own and not installed; "
            'load it in the model\'s file with: pkgload::load_all(".")'
        )
    return (
        f"{file} needs the R package '{package}', which is not installed; install it with: "
        f"Rscript -e 'install.packages(\"{package}\")'"
    )


def own_names(folder: Path) -> set[str]:
    """What the project calls its own: packages by their DESCRIPTION, folders and files of R."""
    described = (path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("**/DESCRIPTION"))
    packages = {name for text in described for name in re.findall(r"^Package:\s*(\S+)", text, re.MULTILINE)}
    folders = {path.name for path in folder.iterdir() if path.is_dir()}
    return packages | folders | {path.stem for path in folder.glob("**/*.R")}


def for_missing_function(file: str, function: str, text: str, known: Sequence[str]) -> str:
    """What a file that has no such function most plainly is: a shiny app, a script, or one with a slip in a name."""
    lacks = f"{file} has no function '{function}'"
    if is_app(text):
        return f"{lacks}: it is a shiny app; put the model into a file of its own that defines it, and source that"
    if known:
        return lacks + nearest(function, known)
    return (
        f"{lacks} (it defines no function): put what one iteration does into {function} <- function(...), see {SPLIT}, "
        f"or run the script as it is: replicast run -- Rscript {file}"
    )


def is_app(text: str) -> bool:
    """Whether a file ends in a shiny app, which would be started when it is loaded."""
    return re.search(r"\b(shinyApp|runApp)\(", text) is not None


def for_notebook(name: str) -> str:
    """A `.Rmd` or `.qmd`: its code becomes a file of R by knitr's own tool."""
    target = f"{Path(name).stem}.R"
    return f"'{name}' is a document; take its code out with: Rscript -e 'knitr::purl(\"{name}\")', and run {target}"
