"""Runs in a folder: what is saved is there whole or not at all, whoever died while writing."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicast.conducting.mending import set_aside_damage
from replicast.core.errors import RequestError, StoreError
from replicast.core.replication import Failure, Outcome
from replicast.models.results import read_result
from replicast.stores import object_documents, open_store
from replicast.stores.objects import ObjectStore, encode_name, new_token, safe_name
from replicast.testing import STORE_CHECKS

RUN = "20260101T000000-abcdef"
NAMES = ["base", "a=b", "ü,é", "x.y", "..x", "a%2Fb", "a/b"[:1] + " b", "scenario=x", "#1", "医院", "~", "a+b@c"]


def outcome(replication: int, scenario: str = "base", returned: Any = None, folder: Path | None = None) -> Outcome:
    metrics, tables = read_result(returned if returned is not None else {"value": replication / 8})
    return Outcome(scenario, replication, 0.25, metrics, tables, folder=str(folder) if folder else None)


def failed(replication: int, scenario: str = "base") -> Outcome:
    return Outcome(scenario, replication, 0.5, failure=Failure("error", "ValueError", "no beds"))


def stored(store: ObjectStore, table: str = "metrics", scenario: str = "base") -> list[dict[str, Any]]:
    return [row for chunk in store.rows(RUN, table, scenario) for row in pl.DataFrame(chunk).to_dicts()]


def files(store: ObjectStore) -> list[Path]:
    assert store.folder is not None
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(str(tmp_path / "runs"))


LISTED = [check for check in STORE_CHECKS if not {"killed", "savers", "never"} & set(check.__name__.split("_"))]


@pytest.mark.parametrize("check", LISTED, ids=lambda check: check.__name__)
def test_a_store_without_folders_is_a_store(check: Callable[[Any], None]) -> None:
    """All but the checks that open the store by its URL from other threads and processes."""
    check(ObjectStore("memory:///"))


@pytest.mark.parametrize("check", LISTED, ids=lambda check: check.__name__)
def test_a_folder_without_obstore_as_after_a_fork_is_a_store(
    check: Callable[[Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_documents, "is_forked", lambda: True)
    monkeypatch.setattr(object_documents, "check_frames", lambda _label: None)
    check(ObjectStore(str(tmp_path / "runs")))


RETURNED: Any = {"value": 1.5, "patients": [{"x": 1}, {"x": 2}], "beds": {"y": [1.5, 2.5, 3.5]}}


class TestDeaths:
    """A writer dies between any two files of a part, or in the middle of one."""

    def test_a_part_without_its_manifest_does_not_exist(self, store: ObjectStore) -> None:
        store.save(RUN, [outcome(i, returned=RETURNED) for i in (1, 2, 3)])
        (commit,) = [path for path in files(store) if "/parts/manifests/" in str(path)]
        commit.unlink()
        assert store.coverage(RUN).done("base") == []
        assert store.coverage(RUN).damage == []
        assert store.tables(RUN) == {"metrics": []}
        assert stored(store) == stored(store, "patients") == list(store.ledger(RUN, "base")) == []

    def test_dying_before_any_file_of_a_part_loses_that_part_alone(self, store: ObjectStore, tmp_path: Path) -> None:
        store.save(RUN, [outcome(i, returned=RETURNED) for i in (1, 2)])
        before = set(files(store))
        store.save(RUN, [outcome(i, returned=RETURNED) for i in (3, 4)])
        written = sorted(set(files(store)) - before, key=lambda path: path.stat().st_mtime_ns)
        assert written[-1].parent.parent.name == "manifests"
        for kept in range(len(written)):
            copy = ObjectStore(str(tmp_path / f"copy{kept}"))
            for path in [*before, *written[:kept]]:
                target = tmp_path / f"copy{kept}" / path.relative_to(tmp_path / "runs")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            assert copy.coverage(RUN).done("base") == [(1, 2)]
            assert [row["replication"] for row in stored(copy, "patients")] == [1, 1, 2, 2]
            copy.save(RUN, [outcome(i, returned=RETURNED) for i in (3, 4)])
            for table in ("metrics", "patients", "beds"):
                assert stored(copy, table) == stored(store, table)

    def test_what_a_dead_writer_left_half_written_is_no_part(self, store: ObjectStore) -> None:
        store.save(RUN, [outcome(1)])
        (metrics,) = [path for path in files(store) if "/parts/metrics/" in str(path)]
        (commit,) = [path for path in files(store) if "/parts/manifests/" in str(path)]
        half = commit.with_name(commit.name.replace("000000001-000000001", "000000002-000000002") + "#1")
        half.write_bytes(commit.read_bytes()[:10])
        metrics.with_name(metrics.name.replace(metrics.name.split(".")[1], new_token())).write_bytes(b"")
        metrics.with_name("README.txt").write_text("not a part")
        commit.with_name("000000004-000000009.0.json").write_bytes(b"{}")
        assert store.coverage(RUN).done("base") == [(1, 1)]
        assert stored(store) == [{"scenario": "base", "replication": 1, "value": 0.125}]
        assert all("#" not in name for name in store.documents(RUN, "parts"))

    def test_what_a_dead_writer_left_half_written_is_removed_before_a_run_goes_on(self, tmp_path: Path) -> None:
        store = ObjectStore(str(tmp_path))
        store.save(RUN, [outcome(1)])
        whole = files(store)
        (manifest,) = [path for path in whole if "/parts/manifests/" in str(path)]
        left, being_written = manifest.with_name(f"{manifest.name}#1"), tmp_path / RUN / "run.json#2"
        for path in (left, being_written):
            path.write_bytes(b"half")
        os.utime(left, (1, 1))
        assert set_aside_damage(store, RUN) == []
        assert not left.exists()
        assert being_written.exists()
        assert files(store) == sorted([*whole, being_written])


class TestSchemas:
    def test_columns_stand_in_order_of_first_appearance_wherever_parts_are_cut(self, tmp_path: Path) -> None:
        shapes: list[Any] = [
            {"z": 1.0, "t": {"z": [1, 2]}},
            {"y": 1.0, "t": []},
            {"t": {"y": [True, False], "z": [1, 2]}, "a": None},
            {"b": 1, "t": {"x": ["a", "b"]}},
            {"a": 5, "t": {"z": [1.5, 2]}},
        ]
        found = []
        for cuts in itertools.product((False, True), repeat=len(shapes) - 1):
            store = ObjectStore(str(tmp_path / "".join(map(str, map(int, cuts)))))
            piece: list[Outcome] = []
            for i, shape in enumerate(shapes, 1):
                piece.append(outcome(i, returned=shape))
                if i == len(shapes) or cuts[i - 1]:
                    store.save(RUN, piece)
                    piece = []
            order = {
                name: list(dict.fromkeys(column for schema in schemas for column in schema.names))
                for name, schemas in store.tables(RUN).items()
            }
            found.append(order)
        keys = ["scenario", "replication"]
        assert found[0] == {"metrics": [*keys, "z", "y", "a", "b"], "t": [*keys, "z", "y", "x"]}
        assert all(order == found[0] for order in found)

    def test_parts_of_failures_alone_have_no_schema(self, store: ObjectStore) -> None:
        """Else every metric would be said to be missing in some replications."""
        store.save(RUN, [failed(1), failed(2)])
        assert store.tables(RUN) == {"metrics": []}
        store.save(RUN, [outcome(3)])
        (schema,) = store.tables(RUN)["metrics"]
        assert schema.names == ["scenario", "replication", "value"]


class TestNames:
    @pytest.mark.parametrize("name", NAMES)
    def test_scenarios_of_any_name_are_kept_apart(self, store: ObjectStore, name: str, tmp_path: Path) -> None:
        folder = tmp_path / "left"
        folder.mkdir()
        (folder / "result.rds").write_bytes(b"x")
        store.save(RUN, [outcome(1, name, {"value": 5.0, "t": [{"x": 1}, {"x": 2}]}, folder), failed(2, name)])
        for other in NAMES:
            expected = [(1, 2)] if other == name else []
            assert store.coverage(RUN).done(other) == expected
        assert stored(store, "metrics", name) == [{"scenario": name, "replication": 1, "value": 5.0}]
        assert [row["x"] for row in stored(store, "t", name)] == [1, 2]
        (kept,) = store.artefacts(RUN, name, 1)
        assert store.read(RUN, kept) == b"x"
        assert list(store.artefacts(RUN, name + "x")) == list(store.artefacts(RUN, name, 11)) == []

    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=60))
    def test_an_encoded_name_is_one_folder_that_no_tool_takes_for_a_partition(self, name: str) -> None:
        encoded = encode_name(name)
        assert "/" not in encoded
        assert "=" not in encoded
        assert not encoded.startswith(".")

    @given(st.lists(st.text(max_size=8), min_size=2, max_size=2, unique=True))
    def test_two_names_never_share_a_folder(self, names: list[str]) -> None:
        assert encode_name(names[0]) != encode_name(names[1])

    @pytest.mark.parametrize("name", ["plot#1.png", "data#2", "a b ü%41.txt", "sub/x#7", "line\nbreak", "#1"])
    def test_a_file_of_any_name_is_kept(self, store: ObjectStore, tmp_path: Path, name: str) -> None:
        path = tmp_path / "left" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"kept")
        store.save(RUN, [outcome(1, folder=tmp_path / "left")])
        (found,) = store.artefacts(RUN)
        assert store.read(RUN, found) == b"kept"
        assert found.endswith(safe_name(name))

    @pytest.mark.parametrize("name", ["data#2.csv", "ü b.py", "a%20.txt", "x;y,z.R", "[1].dat", "sub/deep/#.csv"])
    def test_a_source_file_of_any_name_is_listed(self, store: ObjectStore, name: str) -> None:
        store.write(RUN, f"model/{name}", b"content")
        assert store.documents(RUN, "model") == [f"model/{name}"]
        assert store.read(RUN, f"model/{name}") == b"content"

    def test_a_name_that_no_store_takes_is_a_clear_error(self, store: ObjectStore) -> None:
        with pytest.raises(StoreError, match="failed: "):
            store.write(RUN, "model/a\nb", b"")


class TestReaders:
    """Any Parquet tool reads `parts/`."""

    @pytest.fixture
    def folder(self, store: ObjectStore) -> Path:
        for first in (1, 51):
            store.save(RUN, [outcome(i, "a=b", self.returned(i)) for i in range(first, first + 50)])
        store.save(RUN, [outcome(i, returned=self.returned(i)) for i in range(1, 21)])
        assert store.folder is not None
        return store.folder / RUN / "parts"

    @staticmethod
    def returned(i: int) -> Any:
        return {"wait": i / 3, "served": i, "patients": [{"name": f"ü{i}", "los": i / 7}, {"name": None, "los": None}]}

    def test_pyarrow(self, folder: Path) -> None:
        table = ds.dataset(folder / "metrics").to_table()
        assert table.num_rows == 120
        assert table.column_names == ["scenario", "replication", "wait", "served"]
        assert sorted(table.column("served").to_pylist()) == sorted([*range(1, 101), *range(1, 21)])
        assert ds.dataset(folder / "patients").to_table().num_rows == 240

    def test_pandas(self, folder: Path) -> None:
        frame = pd.read_parquet(folder / "patients")
        assert frame.groupby("scenario").size().to_dict() == {"a=b": 200, "base": 40}
        assert frame["los"].isna().sum() == 120

    def test_polars(self, folder: Path) -> None:
        frame = pl.read_parquet(folder / "metrics" / "**" / "*.parquet")
        assert frame.group_by("scenario").len().sort("scenario").rows() == [("a=b", 100), ("base", 20)]
        assert pl.scan_parquet(folder / "replications" / "**" / "*.parquet").collect().height == 120


class TestSaving:
    @settings(max_examples=25)
    @given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5), st.integers(0, 63)), min_size=1, max_size=6))
    def test_rows_are_those_of_whichever_part_answers(
        self, tmp_path_factory: pytest.TempPathFactory, saved: list[tuple[int, int, int]]
    ) -> None:
        """Each save leaves its own number in every row, so that a row shows which part it came from."""
        store = ObjectStore(str(tmp_path_factory.mktemp("runs")))
        expected: dict[int, tuple[str, int]] = {}
        for time, (first, more, lost) in enumerate(saved):
            outcomes: list[Outcome] = []
            for i in range(first, first + more + 1):
                fails = bool(lost >> (i - first) & 1)
                returned = {"by": time, "t": [{"time": time, "n": n} for n in range(2 * (i % 3))]}
                outcomes.append(failed(i) if fails else outcome(i, returned=returned))
                if expected.get(i, ("failed",))[0] == "failed":
                    expected[i] = ("failed" if fails else "ok", time)
            store.save(RUN, outcomes)
        ok = {i: time for i, (state, time) in sorted(expected.items()) if state == "ok"}
        assert [(row["replication"], row["by"]) for row in stored(store)] == list(ok.items())
        rows = [(i, time, n) for i, time in ok.items() for n in range(2 * (i % 3))]
        assert [(row["replication"], row["time"], row["n"]) for row in stored(store, "t")] == rows
        ledger = [row for chunk in store.ledger(RUN, "base") for row in pl.DataFrame(chunk).to_dicts()]
        assert [(row["replication"], row["state"]) for row in ledger] == [
            (i, state) for i, (state, _) in sorted(expected.items())
        ]
        assert list(store.coverage(RUN).failed("base")) == sorted(set(expected) - set(ok))

    def test_no_file_is_opened_to_say_what_is_stored(self, store: ObjectStore) -> None:
        store.save(RUN, [outcome(i) for i in range(1, 6)])
        for path in files(store):
            path.write_bytes(b"#" * path.stat().st_size)
        assert store.coverage(RUN).ok("base") == [(1, 5)]

    def test_tokens_sort_by_time_and_never_repeat(self) -> None:
        made = [new_token() for _ in range(2000)]
        assert len(set(made)) == 2000
        assert [token[:11] for token in made] == sorted(token[:11] for token in made)

    def test_numbers_beyond_nine_digits_are_stored_in_order(self, store: ObjectStore) -> None:
        for first in (999_999_999, 1_000_000_000, 2_000_000_000):
            store.save(RUN, [outcome(first, returned={"value": first})])
        assert store.coverage(RUN).done("base") == [(999_999_999, 1_000_000_000), (2_000_000_000, 2_000_000_000)]
        assert [row["value"] for row in stored(store)] == [999_999_999, 1_000_000_000, 2_000_000_000]


class TestUrls:
    def test_a_folder_is_opened_by_path_or_url_from_anywhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        store = open_store("runs")
        store.write(RUN, "run.json", b"{}")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert open_store(store.url).runs() == [RUN]
        assert open_store(f"file://{tmp_path}/runs").runs() == [RUN]
        assert store.label == "runs"

    def test_looking_into_a_store_that_is_not_there_makes_no_folder(self, tmp_path: Path) -> None:
        store = open_store(str(tmp_path / "none"))
        assert store.runs() == []
        assert list(store.documents(RUN, "model")) == []
        assert not (tmp_path / "none").exists()

    @pytest.mark.parametrize(("url", "meant"), [("s4://bucket/x", "s3"), ("postgress://x", "postgres")])
    def test_an_unknown_kind_of_store_is_refused_naming_the_nearest(self, url: str, meant: str) -> None:
        with pytest.raises(RequestError, match=f"no store is named by .*did you mean '{meant}"):
            open_store(url)

    def test_a_store_that_cannot_be_written_is_a_clear_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("I am in the way")
        with pytest.raises(StoreError, match="cannot open the store"):
            open_store(str(tmp_path / "file" / "runs")).write(RUN, "run.json", b"{}")
        with pytest.raises(StoreError, match="cannot open the store"):
            open_store(str(tmp_path / "file")).save(RUN, [outcome(1)])

    def test_a_run_in_the_way_of_a_file_is_a_clear_error(self, store: ObjectStore) -> None:
        store.write(RUN, "run.json", b"{}")
        with pytest.raises(StoreError, match="failed: "):
            store.write(f"{RUN}/run.json", "x", b"")
