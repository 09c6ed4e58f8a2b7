"""Servers that the tests of stores share, and new databases in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from servers import mariadb, postgres

__all__ = ["mariadb", "postgres"]


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The URL of a new, empty store of a kind: folder, sqlite, postgresql or mysql."""

    def make(kind: str) -> str:
        if kind == "folder":
            return str(tmp_path / "runs")
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / 'runs.db'}"
        return str(request.getfixturevalue({"postgresql": "postgres", "mysql": "mariadb"}[kind]).new_database())

    return make
