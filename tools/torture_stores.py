"""New, empty stores of each kind, on servers that are started for it."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "stores"))
NewUrl = Callable[[], str]


@contextmanager
def opened(folder: Path, names: list[str]) -> Iterator[dict[str, NewUrl]]:
    numbers = itertools.count(1)
    with ExitStack() as stack:
        found: dict[str, NewUrl] = {}
        for name in names:
            if name in ("postgresql", "mysql"):
                found[name] = _server(name, stack)
            elif name == "s3":
                found[name] = _bucket(stack, numbers)
            elif name == "sqlite":
                found[name] = lambda: f"sqlite:///{folder}/sqlite-{next(numbers)}.db"
            else:
                found[name] = lambda: str(folder / f"runs-{next(numbers)}")
        yield found


def _server(name: str, stack: ExitStack) -> NewUrl:
    from servers import Mariadb, Postgres

    server = Postgres() if name == "postgresql" else Mariadb()
    stack.callback(server.close)
    return server.new_database


def _bucket(stack: ExitStack, numbers: Iterator[int]) -> NewUrl:
    import boto3
    from servers import free_port

    from replicast.aws.sandbox import environment, started

    url = stack.enter_context(started(free_port()))
    os.environ.update(environment(url))
    boto3.client("s3").create_bucket(Bucket="torture")
    return lambda: f"s3://torture/{next(numbers)}"
