"""The place that docs/how-to/write-a-place.md shows is a place."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from replicast.testing import check_executor

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-a-place.md"


@pytest.mark.long
def test_the_example_of_the_page_does_what_every_executor_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r'```python title="processes.py"\n(.*?)```', PAGE.read_text(), re.DOTALL)
    assert len(example.splitlines()) < 80
    (tmp_path / "processes.py").write_text(example)
    monkeypatch.syspath_prepend(str(tmp_path))
    from contextlib import nullcontext

    import processes  # type: ignore[import-not-found]

    try:
        check_executor(lambda: nullcontext(processes.Executor()))
    finally:
        sys.modules.pop("processes")
