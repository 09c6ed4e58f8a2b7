"""What is stored and no longer is what was stored is named: missing when planning, refused when reading."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from replicast.core.errors import StoreError
from replicast.core.replication import Failure, Outcome
from replicast.models.results import read_result
from replicast.stores.objects import ObjectStore

RUN = "20260101T000000-abcdef"
SAMPLED = int(os.environ.get("REPLICAST_FLIPS", "1500"))


def outcome(replication: int, folder: Path | None = None) -> Outcome:
    rows = [{"los": replication / 7 + i, "ward": "ab"[i % 2], "n": i} for i in range(3)]
    metrics, tables = read_result({"wait": replication / 3, "served": replication, "patients": rows})
    return Outcome("base", replication, 0.25, metrics, tables, folder=str(folder) if folder else None)


def failure(replication: int) -> Outcome:
    return Outcome("base", replication, 0.5, failure=Failure("error", "ValueError", "no beds"))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store, left = ObjectStore(str(tmp_path / "runs")), tmp_path / "left"
    left.mkdir()
    (left / "result.rds").write_bytes(b"\0rds" * 20)
    store.save(RUN, [outcome(1), outcome(2, left), failure(3)])
    store.save(RUN, [outcome(4)])
    return store


def files(store: ObjectStore) -> list[Path]:
    assert store.folder is not None
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


def fresh(store: ObjectStore) -> ObjectStore:
    """As another process opens it: nothing is remembered."""
    return ObjectStore(store.url)


def everything(store: ObjectStore) -> dict[str, Any]:
    """All that can be read of the run, as any command reads it."""
    tables = {name: [str(s) for s in schemas] for name, schemas in store.tables(RUN).items()}
    found: dict[str, Any] = {"tables": tables, "ok": store.coverage(RUN).ok("base")}
    found["failed"] = list(store.coverage(RUN).failed("base"))
    for name, chunks in [("ledger", store.ledger(RUN, "base")), *((n, store.rows(RUN, n, "base")) for n in tables)]:
        found[name] = repr([pl.DataFrame(chunk).rows() for chunk in chunks])
    for name in store.artefacts(RUN):
        found[name] = store.read(RUN, name)
    return found


def read_or_refused(store: ObjectStore) -> dict[str, Any] | str:
    try:
        return everything(store)
    except StoreError as error:
        return str(error)


def bits_of(paths: list[Path]) -> Iterator[tuple[Path, int]]:
    """Every bit of the first and last 64 bytes of each file, and a sample of those between."""
    chance = random.Random(20260101)
    between: list[tuple[Path, int]] = []
    for path in paths:
        length = path.stat().st_size
        ends = [i for i in range(length) if i < 64 or i >= length - 64]
        yield from ((path, 8 * byte + bit) for byte in ends for bit in range(8))
        between += [(path, 8 * byte + bit) for byte in range(64, length - 64) for bit in range(8)]
    yield from chance.sample(between, min(SAMPLED, len(between)))


@pytest.mark.long
def test_no_flipped_bit_of_a_part_is_silent(store: ObjectStore) -> None:
    paths, silent, tried = files(store), [], 0
    by_name = {path.name for path in paths}
    for path, bit in bits_of(paths):
        content = path.read_bytes()
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        found, tried = [str(damage) for damage in fresh(store).damage(RUN)], tried + 1
        if not any(path.name in text for text in found):
            silent.append((path.name, bit))
        path.write_bytes(content)
    assert tried > SAMPLED
    assert silent == []
    assert list(fresh(store).damage(RUN)) == []
    assert by_name == {path.name for path in files(store)}


@pytest.mark.parametrize("way", ["removed", "empty", "cut", "longer", "flipped", "swapped", "zeros"])
def test_whatever_happens_to_a_file_reading_names_it_and_saving_again_mends_it(
    store: ObjectStore, way: str, tmp_path: Path
) -> None:
    whole = everything(fresh(store))
    for path in [path for path in files(store) if way != "removed" or "/manifests/" not in str(path)]:
        kept = shutil.copytree(store.url, tmp_path / f"kept {path.name}")
        damage_file(path, way, files(store))
        named = read_or_refused(fresh(store))
        assert isinstance(named, str), path
        assert RUN in named
        assert f"replicast resume {RUN}" in named
        mend(fresh(store), tmp_path / "left")
        assert everything(fresh(store)) == whole, path
        shutil.rmtree(store.url)
        kept.rename(store.url)


def damage_file(path: Path, way: str, others: list[Path]) -> None:
    content = path.read_bytes()
    if way == "removed":
        path.unlink()
    elif way == "swapped":
        kind = path.parent.parent
        other = next(o for o in others if o != path and (o.parent.parent == kind or o.suffix != path.suffix))
        theirs = other.read_bytes()
        path.write_bytes(theirs)
        other.write_bytes(content)
    else:
        flipped = bytes([content[len(content) // 2] ^ 1])
        middle = content[: len(content) // 2] + flipped + content[len(content) // 2 + 1 :]
        changed = {"empty": b"", "cut": content[:-1], "longer": content + b"\0", "zeros": bytes(len(content))}
        path.write_bytes(changed.get(way, middle))


def mend(store: ObjectStore, left: Path) -> None:
    """As `resume` does: what is damaged counts as missing, and is computed again."""
    damage = list(store.damage(RUN))
    assert damage
    store.set_aside(RUN, damage)
    done = {number for first, last in store.coverage(RUN).done("base") for number in range(first, last + 1)}
    made = {1: outcome(1), 2: outcome(2, left), 3: failure(3), 4: outcome(4)}
    missing = [made[number] for number in sorted(set(made) - done)]
    assert missing
    for group in ([o for o in missing if o.replication < 4], [o for o in missing if o.replication == 4]):
        if group:
            store.save(RUN, group)
    assert list(store.damage(RUN)) == []


def test_what_a_listing_shows_is_missing_at_once(store: ObjectStore) -> None:
    """A file that is gone or was cut is seen without opening any."""
    for path in [path for path in files(store) if "/parts/" in str(path)]:
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        covered = fresh(store).coverage(RUN)
        left = [(4, 4)] if "000000001" in path.name or "00003" in path.name else [(1, 3)]
        assert covered.done("base") == left, path
        (damage,) = covered.damage
        assert path.name in damage.name
        path.write_bytes(content)
    assert fresh(store).coverage(RUN).damage == []


def test_a_table_folder_that_was_removed_is_said(store: ObjectStore) -> None:
    assert store.folder is not None
    shutil.rmtree(store.folder / RUN / "parts" / "patients")
    assert fresh(store).coverage(RUN).done("base") == []
    with pytest.raises(StoreError, match=r"parts/patients/base/0+[14]-0+[24].* is gone; .* replicast resume"):
        fresh(store).tables(RUN)


def test_a_damaged_part_that_another_answers_for_is_none(store: ObjectStore) -> None:
    whole = everything(store)
    (first,) = [path for path in files(store) if "/metrics/" in str(path) and "00001-" in path.name]
    first.write_bytes(first.read_bytes()[:-1])
    mended = fresh(store)
    mended.save(RUN, [outcome(1), outcome(2, store.folder.parent / "left" if store.folder else None), failure(3)])
    assert mended.coverage(RUN).damage == []
    mended.set_aside(RUN, list(mended.damage(RUN)))
    assert everything(fresh(store)) == whole


def test_nothing_that_is_stored_is_ever_written_again(store: ObjectStore) -> None:
    """So that it mends in a bucket that takes each name once."""
    before = {path: (path.read_bytes(), path.stat().st_ino) for path in files(store)}
    (artefact,) = [path for path in files(store) if path.name == "result.rds"]
    artefact.write_bytes(b"damaged")
    before[artefact] = (b"damaged", before[artefact][1])
    mend(fresh(store), store.folder.parent / "left" if store.folder else Path())
    assert {path: (path.read_bytes(), path.stat().st_ino) for path in before} == before


def test_files_that_no_manifest_names_are_nothing(store: ObjectStore) -> None:
    whole = everything(store)
    for path in [path for path in files(store) if path.suffix == ".parquet"]:
        name = path.name.split(".")
        path.with_name(".".join([name[0], "000000zzzzz00000000", *name[2:]])).write_bytes(path.read_bytes())
    assert everything(fresh(store)) == whole
    assert list(fresh(store).damage(RUN)) == []


def test_a_manifest_in_another_parts_place_is_refused(store: ObjectStore) -> None:
    manifests = [path for path in files(store) if "/manifests/" in str(path)]
    for path, number in itertools.product(manifests, (5, 7)):
        span = f"{number:09d}-{number + 2:09d}"
        moved = path.rename(path.with_name(path.name.replace(path.name.partition(".")[0], span)))
        assert any("is that of another part" in damage.name for damage in fresh(store).damage(RUN))
        moved.rename(path)


def test_a_part_that_is_committed_while_it_is_listed_is_no_damage(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = store._list_relative
    looks = []

    def hide_one(run: str, prefix: str) -> Iterator[tuple[str, int]]:
        looks.append(prefix)
        found = list(listed(run, prefix))
        return iter([f for f in found if "/metrics/" not in f[0]] if len(looks) == 1 else found)

    monkeypatch.setattr(store, "_list_relative", hide_one)
    covered = store.coverage(RUN)
    assert (covered.done("base"), covered.damage) == ([(1, 4)], [])


def test_the_cost_in_requests_is_one_listing(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    call: Callable[..., Any] = store._call
    read: Callable[..., Any] = ObjectStore.read_part
    monkeypatch.setattr(store, "_call", lambda operation, *a, **o: (asked.append(a[0]), call(operation, *a, **o))[1])
    monkeypatch.setattr(ObjectStore, "read_part", lambda own, *a: (asked.append(a[1]), read(own, *a))[1])
    store.save(RUN, [outcome(5)])
    assert len(asked) == 4, "a table, the ledger, the metrics, the manifest"
    asked.clear()
    assert fresh(store).coverage(RUN).ok("base") == [(1, 2), (4, 5)]
    assert len(asked) == 1, "the manifest of the part in which some failed"
