"""How a run until precise, or one that selects, ended: in words and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from replicast.core.record import RunRecord

if TYPE_CHECKING:
    from replicast.core.choosing import Selection
    from replicast.core.stopping import Judgement

ONE_BY_ONE = 12
"""Scenarios of which each has a line of its own; of more, those that are met are counted."""


def precision_document(record: RunRecord, judgements: Mapping[str, Judgement]) -> dict[str, Any] | None:
    """None where no precision was asked for."""
    if not record.options.precision:
        return None
    scenarios = {scenario: asdict(judgement) for scenario, judgement in judgements.items()}
    met = all(judgement.state == "met" for judgement in judgements.values())
    return {"goal": record.options.precision, "met": met, "scenarios": scenarios}


def precision_lines(record: RunRecord, judgements: Mapping[str, Judgement]) -> list[str]:
    """A line a scenario; where there are many, one for those that are met, and one for each of the others."""
    lines, met = [], [name for name, judgement in judgements.items() if judgement.state == "met"]
    briefly = len(judgements) > ONE_BY_ONE
    if briefly and met:
        lines.append(f"{record.options.precision}: met in {len(met)} of {len(judgements)} scenarios")
    for scenario, judgement in judgements.items():
        if judgement.state != "met" or not briefly:
            lines.append(f"{record.options.precision}: {scenario}: {_verdict(judgement)}")
    if lines and record.options.control:
        lines.append("--precision judges plain means, and not those that --control adjusts")
    return lines


def _verdict(judgement: Judgement) -> str:
    if judgement.state == "met":
        return f"met at {judgement.needed:,} of {judgement.wanted:,} replications"
    if judgement.state == "unmet":
        return f"NOT met within --max {judgement.wanted}"
    return f"not met yet; {judgement.wanted:,} replications are wanted next"


def selection_document(record: RunRecord, selection: Selection | None) -> dict[str, Any] | None:
    """None where nothing was to be selected."""
    if selection is None:
        return None
    asked = {name: getattr(record.options, name) for name in ("select", "indifference", "budget")}
    return asked | asdict(selection)


def selection_lines(record: RunRecord, selection: Selection | None) -> list[str]:
    if selection is None:
        return []
    lines = [f"{record.options.select}: {_outcome(record, selection)}"]
    if selection.blind:
        lines.append(f"{record.options.select}: no value to judge by from {', '.join(selection.blind)}")
    if record.options.control:
        lines.append("--select judges plain means, and not those that --control adjusts")
    return lines


def _outcome(record: RunRecord, selection: Selection) -> str:
    total = sum(selection.wanted.values())
    if selection.state == "open":
        return f"not settled yet: {', '.join(selection.kept)}"
    if record.options.budget is None:
        if selection.state == "met":
            return (f"'{selection.kept[0]}' is the best with 95 % confidence, or within "
                    f"{record.options.indifference:g} of it: {total:,} replications in all")  # fmt: skip
        where = "" if selection.blind else " within --max"
        return f"NOT told apart{where}: {', '.join(selection.kept)}"
    if selection.state == "met":
        return f"'{selection.kept[0]}' has the best mean after a budget of {total:,} replications"
    if not selection.kept:
        return f"NO best mean after {total:,} replications"
    return f"NOT told apart: {', '.join(selection.kept)} share the best mean after a budget of {total:,} replications"
