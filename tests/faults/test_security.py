"""Names that a store gives, passwords in URLs: what somebody else wrote is data, and what is secret is not printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import replicast
from replicast import RequestError, StoreError
from replicast.core.errors import ReplicastError
from replicast.machine.inside import inside
from replicast.performing.copies import check_out
from replicast.stores.sql_connections import parsed_address, without_password

PIECES = st.sampled_from(["..", ".", "", "a", "b.py", "/", "\\\\", "link", "~", "C:", "a b", "\0", "\n", "é"])


@given(st.lists(PIECES, max_size=6).map("/".join) | st.text(max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_from_a_store_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    if not (folder / "link").is_symlink():
        (folder / "link").symlink_to(tmp_path)
    try:
        path = inside(folder, name)
    except StoreError:
        return
    assert path.parent.resolve().is_relative_to(folder.resolve())
    assert path != folder


@pytest.mark.parametrize("name", ["model//tmp/x", "model/../../x", "model/a/../../../x"])
def test_a_source_that_names_files_elsewhere_is_not_written(
    write_model: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    model = write_model("def simulate(): return 1\n")
    run = replicast.run(str(model), n=1, store=f"sqlite:///{tmp_path}/r.db", name="x")
    run.store.write("x", name, b"evil")
    with pytest.raises(StoreError, match="outside its folder"):
        check_out(run.store, "x", tmp_path / "deep" / "er" / "out")
    assert not list(tmp_path.rglob("x"))
    with pytest.raises(ReplicastError):
        run.replay(1)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("mysql://pw:p@ss:/w#rd%@127.0.0.1/life", "ss:"),
        ("postgresql://me:top/secret@localhost/db", "secret"),
        ("postgresql://me:a@b@localhost/db?sslmode=disable", "a@b"),
        ("postgresql://me:a?b=c@localhost/db", "a?b"),
    ],
)
def test_no_part_of_a_password_is_printed_whatever_stands_in_it(url: str, secret: str) -> None:
    assert secret not in without_password(url)
    with pytest.raises(RequestError) as refused:
        parsed_address(url)
    assert secret not in str(refused.value)


def test_how_a_password_is_written_is_said_and_plain_addresses_are_taken() -> None:
    with pytest.raises(RequestError, match="%40"):
        parsed_address("mysql://pw:p@ss@127.0.0.1/life")
    for url in (
        "postgresql://u:p%40ss@h:5432/db",
        "postgresql://u:p@h/db?options=a@b",
        "sqlite:///a@b/c:d.db",
        "mysql://h/d",
    ):
        assert parsed_address(url).database
