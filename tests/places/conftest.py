"""A cluster of one node, with a real Slurm: Debian's slurm-wlm and munge, started as root."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import postgres

__all__ = ["postgres"]

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "slurm-up.sh"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The folder of a cluster's files; SLURM_CONF names it to Slurm's commands."""
    if any(shutil.which(name) is None for name in ("slurmctld", "slurmd", "munged", "sbatch")):
        pytest.skip("Slurm is not installed (Debian: apt install slurm-wlm munge)")
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons are started by root")
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    ports = {"SLURMCTLD_PORT": str(free_port()), "SLURMD_PORT": str(free_port()), "SLURMD_TIMEOUT": "10"}
    try:
        subprocess.run(["sh", str(SCRIPT), str(folder)], check=True, timeout=60, env=os.environ | ports,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        yield folder
    finally:
        subprocess.run(["sh", str(SCRIPT), str(folder), "down"], check=False, timeout=60)
        os.environ.pop("SLURM_CONF", None)
        shutil.rmtree(folder, ignore_errors=True)
