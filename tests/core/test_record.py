"""run.json comes back as it was written, or is refused with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.core.errors import RequestError, StoreError
from replicast.core.experiment import Collation, Experiment, ModelReference, Streams
from replicast.core.record import (
    FORMAT,
    LETTERS,
    Options,
    RunRecord,
    Tolerance,
    check_replications,
    check_run_name,
    new_run_id,
)
from replicast.core.scenarios import Scenario

EXPERIMENT = Experiment(
    ModelReference("r", "model.R", "run"),
    (Scenario("base", {"beds": 12, "rate": 5.5, "name": 'ü\n"x"'}, 0), Scenario("none", {"beds": None}, 1)),
    42,
    Streams("future", common=False),
    keep_rds=True,
    collation=Collation("model.R"),
)
RECORD = RunRecord(
    "20260101T000000-abcdef",
    EXPERIMENT,
    100,
    "2026-01-01T00:00:00+00:00",
    Options(1.5, 3, Tolerance(share=0.05), "wait=5%", 1000, 4),
    files={"model.R": "0" * 64},
    code_hash="1" * 64,
    versions={"R": "4.5.0"},
    signature={"uses": ["replication"]},
)


def saved(**changes: Any) -> bytes:
    return json.dumps(json.loads(RECORD.to_json()) | changes).encode()


def test_a_record_comes_back_as_it_was_written() -> None:
    assert RunRecord.from_json(RECORD.to_json(), "run.json") == RECORD
    assert RunRecord.from_json(RECORD.to_json(), "run.json").to_json() == RECORD.to_json()


def test_a_record_is_json_that_people_can_read() -> None:
    text = RECORD.to_json().decode()
    assert text.endswith("}\n")
    assert "ü" in text
    assert json.loads(text)["format"] == FORMAT


def test_fields_of_a_later_version_of_the_same_format_are_passed_over() -> None:
    assert RunRecord.from_json(saved(comment="new"), "run.json") == RECORD


def test_a_record_of_a_newer_format_asks_for_a_newer_replicast() -> None:
    with pytest.raises(StoreError, match="written by a newer replicast"):
        RunRecord.from_json(saved(format=FORMAT + 1), "run.json of run x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"{}",
        b"\xff\xfe",
        saved(experiment=None),
        saved(experiment={"model": {}}),
        saved(options={}),
        saved(options={"tolerance": {"percent": 5}}),
        saved(options=None),
        saved(format="one"),
        RECORD.to_json()[:-40],
    ],
)
def test_a_damaged_record_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(StoreError, match=r"^run\.json of run x is damaged: "):
        RunRecord.from_json(content, "run.json of run x")


@pytest.mark.parametrize("missing", ["id", "experiment", "replications", "created", "options"])
def test_a_record_without_what_matters_is_damaged(missing: str) -> None:
    content = json.loads(RECORD.to_json())
    del content[missing]
    with pytest.raises(StoreError, match="is damaged"):
        RunRecord.from_json(json.dumps(content).encode(), "run.json")


def test_more_replications_change_nothing_else() -> None:
    more = RECORD.with_replications(1000)
    assert more.replications == 1000
    assert more.with_replications(100) == RECORD


class TestTolerance:
    @pytest.mark.parametrize(
        ("text", "failed", "planned", "allowed"),
        [
            ("5%", 5, 100, True),
            ("5%", 6, 100, False),
            ("5%", 1, 19, False),
            ("5%", 1, 20, True),
            ("10%", 1, 10, True),
            ("29%", 29, 100, True),
            ("100%", 10, 10, True),
            ("0%", 0, 10, True),
            ("0", 1, 10, False),
            ("3", 3, 10, True),
            ("3", 4, 1_000_000, False),
            (" 2.5 % ", 25, 1000, True),
        ],
    )
    def test_a_share_or_a_count_may_fail(self, text: str, failed: int, planned: int, allowed: bool) -> None:
        assert Tolerance.parse(text).allows(failed, planned) is allowed

    @given(st.integers(0, 100), st.integers(1, 2000))
    def test_a_share_in_whole_percent_is_exact(self, percent: int, planned: int) -> None:
        tolerance = Tolerance.parse(f"{percent}%")
        allowed = percent * planned // 100
        assert tolerance.allows(allowed, planned)
        assert not tolerance.allows(allowed + 1, planned)

    @pytest.mark.parametrize("text", ["", "%", "-1", "-1%", "101%", "nan%", "inf%", "5.5", "five", "5 percent", "0.05"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(RequestError, match="takes a share such as 5% or a count such as 3"):
            Tolerance.parse(text)


class TestNames:
    @given(st.datetimes(datetime(2000, 1, 1), datetime(9999, 1, 1)), st.integers(1, 10**6))
    def test_run_ids_sort_by_time(self, moment: datetime, seconds: int) -> None:
        if moment.year < 9998:
            assert new_run_id(moment) < new_run_id(moment + timedelta(seconds=seconds))

    def test_run_ids_of_one_second_differ_and_are_names_of_runs(self) -> None:
        now = datetime(2026, 11, 23, 14, 15, 2, tzinfo=UTC)
        made = {new_run_id(now) for _ in range(200)}
        assert len(made) == 200
        for name in made:
            assert check_run_name(name) == name
            assert name.startswith("20261123T141502-")
            assert set(name.partition("-")[2]) <= set(LETTERS)

    @pytest.mark.parametrize("name", ["a", "A.b_c-1", "20261123T141502-k3f9x2", "x" * 100, "a..b"])
    def test_a_plain_name_is_taken(self, name: str) -> None:
        assert check_run_name(name) == name

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "latest",
            "../x",
            "a/b",
            "a\\b",
            ".hidden",
            "-x",
            "_x",
            "a b",
            "ü",
            "a\n",
            "x" * 101,
            "..",
            "a:b",
            "#",
            "a%",
        ],
    )
    def test_a_name_that_is_no_folder_everywhere_is_refused(self, name: str) -> None:
        with pytest.raises(RequestError, match="a run cannot be called"):
            check_run_name(name)


@pytest.mark.parametrize("number", [0, -1, -3, 2**31 + 1])
def test_a_number_of_replications_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(RequestError, match=str(number)):
        check_replications(number)


@pytest.mark.parametrize("number", [1, 1000, 2**31])
def test_any_other_number_of_replications_is_taken(number: int) -> None:
    assert check_replications(number) == number
