"""Collation by polars alone, streaming, without ledger, order or digests.

python polars_collation.py FOLDER prepare        writes the rows of the run FOLDER/runs/x, a file each and in 100 files
python polars_collation.py FOLDER csv|parquet OUT
"""

import sys
from pathlib import Path

import polars as pl

FOLDER, WAY = Path(sys.argv[1]), sys.argv[2]
if WAY == "prepare":
    whole = pl.read_parquet(FOLDER / "runs/x/parts/rows/*/*.parquet").sort("replication", maintain_order=True)
    for place, pieces in (("one_each", 10_000), ("hundred", 100)):
        (FOLDER / place).mkdir()
        height = len(whole) // pieces
        for piece in range(pieces):
            whole.slice(piece * height, height).write_parquet(FOLDER / place / f"{piece:05d}.parquet")
elif WAY == "csv":
    pl.scan_parquet(FOLDER / "*.parquet").sink_csv(Path(sys.argv[3]) / "rows.csv")
else:
    pl.scan_parquet(FOLDER / "*.parquet").sink_parquet(Path(sys.argv[3]) / "rows.parquet")
