"""Rows of a database, changed behind replicast's back: every cell of every table can be the one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from replicast.stores.sql_connections import Database

OFF = {"sqlite": "PRAGMA foreign_keys = OFF", "mysql": "SET foreign_key_checks = 0",
       "postgresql": "SET session_replication_role = replica"}  # fmt: skip


class RowDamage:
    """`way`: a row is `dropped`, a cell `cut` to its half or `flipped` in one bit, or `swapped` with another row's."""

    def __init__(self, url: str, run: str, way: str, at: int) -> None:
        self.url, self.run, self.way, self.at = url, run, way, at
        self.what = ""

    def __call__(self) -> None:
        """In a process of its own, since the one that forks may use no connection of ours."""
        database = Database(self.url)
        engine = sa.create_engine(database.address, poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(OFF[connection.dialect.name])
            self._damage(connection)
            connection.commit()
        engine.dispose()

    def _damage(self, connection: sa.Connection) -> None:
        tables = sa.MetaData()
        tables.reflect(connection)
        cells = []
        for table in sorted(tables.tables.values(), key=lambda table: table.name):
            rows = [dict(row._mapping) for row in connection.execute(sa.select(table))]
            cells += [(table, rows, place, column) for place in range(len(rows)) for column in table.columns]
        for number in range(self.at * 7919, self.at * 7919 + len(cells)):
            table, rows, place, column = cells[number % len(cells)]
            if self._strike(connection, table, rows, place, column):
                self.what = f"{table.name}.{column.name} {self.way}"
                return

    def _strike(self, connection: Any, table: Any, rows: Any, place: int, column: Any) -> bool:
        """False where nothing can be changed there."""
        row, key = rows[place], list(table.primary_key.columns) or list(table.columns)
        this = sa.and_(*(c == row[c.name] for c in key))
        if self.way == "dropped":
            return bool(connection.execute(table.delete().where(this)).rowcount)
        if column.primary_key and self.way == "swapped":
            return False
        value = self._other(rows, place, column.name)
        if value is None or value == row[column.name]:
            return False
        try:
            with connection.begin_nested():
                connection.execute(table.update().where(this).values({column.name: value}))
        except sa.exc.SQLAlchemyError:
            return False
        return True

    def _other(self, rows: Any, place: int, name: str) -> Any:
        value = rows[place][name]
        if self.way == "swapped":
            return next((row[name] for row in rows if row[name] not in (None, value)), None)
        if isinstance(value, bytes | str):
            middle = len(value) // 2
            if self.way == "cut":
                return value[:middle]
            if isinstance(value, bytes):
                return value[:middle] + bytes([value[middle] ^ 4]) + value[middle + 1 :] if value else None
            return value[:middle] + ("y" if value[middle] == "x" else "x") + value[middle + 1 :] if value else None
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return value + 96 if self.way == "cut" else value ^ 1
        return value + 2.0**-40 if isinstance(value, float) else None
