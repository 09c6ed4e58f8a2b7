"""The levels of a factor, which a stored column of texts does not have: what makes a factor of them again in R."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class FactorLevels:
    """All labels that a table's column may have, in their order, as a replication met them.

    `labels` is empty where there were too many to tell.
    """

    table: str
    column: str
    labels: tuple[str, ...]
    ordered: bool

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=True, sort_keys=True).encode()

    @classmethod
    def from_json(cls, content: bytes) -> FactorLevels:
        saved = json.loads(content)
        return cls(saved["table"], saved["column"], tuple(saved["labels"]), saved["ordered"])

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> FactorLevels:
        """As R tells them: table, column, TRUE or FALSE, and the labels."""
        table, column, ordered, *labels = texts
        return cls(table, column, tuple(labels), ordered == "TRUE")
