"""Processes as the operating system shows them: Linux here, macOS by a fake that hides what macOS hides."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from replicast.machine.proc import OfProc
from replicast.machine.processes import OfPsutil, System, descendants, end_carriers, is_alive

SOURCE = Path(__file__).resolve().parents[2] / "src"


class MacOs:
    """Shows no environment of processes that are not Python's own, as macOS does; a killed one is gone."""

    def __init__(self, parents: Mapping[int, int], shown: Mapping[int, Mapping[str, str]]) -> None:
        self._parents, self._shown = dict(parents), shown
        self.killed: list[int] = []

    def parents(self) -> Mapping[int, int]:
        return dict(self._parents)

    def environment(self, pid: int) -> Mapping[str, str]:
        return self._shown.get(pid, {})

    def kill(self, pid: int) -> None:
        self.killed.append(pid)
        self._parents.pop(pid, None)
        self._parents = {child: 1 if parent == pid else parent for child, parent in self._parents.items()}

    def created(self, pid: int) -> float | None:
        return 100.0 if pid in self._parents else None

    def resident_bytes(self, pid: int) -> int:
        return 0 if pid not in self._parents else 1


def test_where_environments_are_hidden_descent_tells_who_is_to_be_ended() -> None:
    system = MacOs({10: 1, 11: 10, 12: 11, 20: 1}, {10: {"MARK": "a"}, 20: {"MARK": "b"}})
    end_carriers("MARK", "a", system=system)
    assert sorted(system.killed) == [10, 11, 12]


def test_strays_that_were_known_before_their_parent_died_are_ended() -> None:
    system = MacOs({11: 1, 12: 11, 20: 1}, {})
    end_carriers("MARK", "a", known={11}, system=system)
    assert sorted(system.killed) == [11, 12]


class Unreaped(MacOs):
    """What is killed stays in the list, as in a container whose first process reaps nobody."""

    def __init__(self, parents: Mapping[int, int]) -> None:
        super().__init__(parents, {})
        self.listed = 0

    def parents(self) -> Mapping[int, int]:
        self.listed += 1
        return super().parents()

    def kill(self, pid: int) -> None:
        self.killed.append(pid)

    def created(self, pid: int) -> float | None:
        return None if pid in self.killed else 100.0


def test_who_has_ended_and_is_not_reaped_is_not_waited_for() -> None:
    system = Unreaped({11: 1, 12: 11, 20: 1})
    end_carriers("MARK", "a", known={11}, system=system)
    assert sorted(system.killed) == [11, 12]
    assert system.listed == 2


def test_descendants_are_the_children_and_theirs() -> None:
    system = MacOs({10: 1, 11: 10, 12: 11, 13: 10, 20: 1}, {})
    assert descendants([10], system) == {11, 12, 13}
    assert descendants([12], system) == set()


def test_a_number_that_was_given_again_is_another_process() -> None:
    system = MacOs({10: 1}, {})
    assert is_alive(10, 100.5, system)
    assert not is_alive(10, 90.0, system)
    assert not is_alive(11, 100.0, system)
    assert is_alive(10, None, system)


SYSTEMS = [OfPsutil(), *([OfProc()] if sys.platform == "linux" else [])]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: type(system).__name__)
def test_this_system_shows_what_is_asked_of_it(system: System) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={"A": "b"})
    try:
        assert system.parents()[child.pid] == os.getpid()
        assert child.pid in descendants([os.getpid()])
        assert is_alive(child.pid, system.created(child.pid))
        assert system.resident_bytes(os.getpid()) > 1 << 20
        assert system.environment(child.pid) == {"A": "b"}
    finally:
        system.kill(child.pid)
        child.communicate()
    assert child.returncode == -9
    assert not is_alive(child.pid, None)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux shows")
def test_linux_read_directly_says_what_psutil_says() -> None:
    plain, careful = OfProc(), OfPsutil()
    child = subprocess.Popen([sys.executable, "-c", "print(input(), flush=True)"], stdin=subprocess.PIPE)
    try:
        assert plain.environment(child.pid) == careful.environment(child.pid)
        assert plain.created(child.pid) == pytest.approx(careful.created(child.pid), abs=0.02)
        assert plain.parents()[child.pid] == careful.parents()[child.pid]
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert plain.created(child.pid) is careful.created(child.pid) is None  # ended, and not reaped
    finally:
        child.communicate()
    assert plain.created(child.pid) is None
    assert plain.environment(child.pid) == {}
    assert plain.resident_bytes(child.pid) == 0


def test_what_depends_on_the_system_stands_in_one_module() -> None:
    telling = ("/" + "proc", "/bin/" + "sh", "os.kill(pid, 0)", "pidfd_open")
    for file in SOURCE.rglob("*.py"):
        text = file.read_text("utf-8")
        found = [word for word in telling if word in text]
        assert not found or ({*found} <= {telling[0], "pidfd_open"} and file.parent.name == "machine"), (
            f"{file}: {found}"
        )
        if "import psutil" in text:
            assert file.parent.name == "machine", file
