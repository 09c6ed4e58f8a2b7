"""Makes of the repository's pages a site: what lies outside `docs/` is not in it, so it is named and not linked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(#[^)]*)?\)")
TITLED = re.compile(r"^```(\w+) title=\"([^\"]+)\"$", re.MULTILINE)


FOLDERS = {"Learn": ".", "Do": "how-to", "Look up": "reference", "Understand": "explanation"}


def on_config(config: Any, **_: Any) -> Any:
    """Adds each page that the navigation does not name where its folder belongs, and the decisions at the end."""
    docs, named = Path(config.docs_dir), repr(config.nav)
    for section in config.nav:
        for title, pages in section.items():
            if title in FOLDERS:
                new = [page for page in sorted((docs / FOLDERS[title]).glob("*.md")) if _place(page, docs) not in named]
                pages += [{_title(page): _place(page, docs)} for page in new]
            if title == "Understand":
                listed = sorted((docs / "decisions").glob("*.md"))
                pages.append({"Decisions": [{_title(page): _place(page, docs)} for page in listed]})
    return config


def _place(page: Path, docs: Path) -> str:
    return page.relative_to(docs).as_posix()


def _title(page: Path) -> str:
    lines = page.read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ")), page.stem)


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    docs = Path(config.docs_dir).resolve()
    here = (docs / page.file.src_path).parent

    def name_it(found: re.Match[str]) -> str:
        target = (here / found[2]).resolve()
        if target.is_relative_to(docs) and target.is_file():
            return found[0]
        if not target.exists():
            raise SystemExit(f"{page.file.src_path} links to {found[2]}, which is not there")
        return f"{found[1]} (`{target.relative_to(docs.parent).as_posix()}` in the repository)"

    return LINK.sub(name_it, markdown)
