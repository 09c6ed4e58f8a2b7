"""The local page over a store: Starlette's routes around what `pages` finds, and server-sent events of a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from replicast.core.errors import ReplicastError
from replicast.core.ports import Store
from replicast.core.record import as_people_write
from replicast.runs import Run
from replicast.stores.labels import labels_of

from . import pages
from .guard import Guard

SECONDS = 1.0
RESULTS_EVERY = 3
"""A run's summary is made anew after so many looks at its progress, if there is anything new."""


class Pages:
    """Every answer is made from the store as it is now: nothing is kept here that a crash could spoil."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.templates = Environment(
            loader=PackageLoader("replicast.live", "templates"), autoescape=select_autoescape(default=True),
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip

    def shown(self, template: str, **values: Any) -> HTMLResponse:
        return HTMLResponse(self.templates.get_template(template).render(store=self.store.label, **values))

    def runs(self, request: Request) -> Response:
        words, state = request.query_params.get("q", ""), request.query_params.get("state", "")
        found = pages.lines(self.store)
        return self.shown("runs.html", runs=pages.search(found, words, state), of=len(found), words=words, state=state)

    def run(self, request: Request) -> Response:
        run = self._run(request)
        count, failures = pages.failures(run)
        others = [name for name in self.store.runs() if name != run.id]
        return self.shown(
            "run.html", run=run, record=run.record, begun=as_people_write(run.record.created),
            progress=pages.progress(run), results=self._results(run),
            failures=failures, failed=count, tables=run.tables, others=others[::-1][:200],
            labels=labels_of(self.store, run.id),
        )  # fmt: skip

    def results(self, request: Request) -> Response:
        return self.shown("results.html", results=self._results(self._run(request)))

    def _results(self, run: Run) -> dict[str, Any]:
        found = pages.results(run)
        found["plots"] = [(metric, Markup(svg)) for metric, svg in found["plots"]]  # whose text `drawing` escapes
        return found

    def compare(self, request: Request) -> Response:
        first, second = (Run(self.store, request.query_params.get(name, "")) for name in ("first", "second"))
        return self.shown("compare.html", first=first, second=second, rows=pages.side_by_side(first, second))

    def table(self, request: Request) -> Response:
        run, name = self._run(request), request.path_params["table"]
        frame = run.summary().frame() if name == "summary" else run.table(name).pl()
        saved = "".join(c if c.isalnum() or c in "-_." else "_" for c in f"{run.id}-{name}")
        headers = {"Content-Disposition": f'attachment; filename="{saved}.csv"'}
        return Response(frame.write_csv(), media_type="text/csv; charset=utf-8", headers=headers)

    async def events(self, request: Request) -> Response:
        run = await run_in_threadpool(self._run, request)
        return StreamingResponse(self._watch(request, run.id), media_type="text/event-stream")

    async def _watch(self, request: Request, name: str) -> AsyncIterator[str]:
        """Progress once a second, and whether results have changed; ends with the run."""
        told, shown = "", -1
        for look in range(10**9):
            if await request.is_disconnected():
                return
            try:
                found = await run_in_threadpool(lambda: pages.progress(Run(self.store, name)))
            except ReplicastError:
                yield "event: gone\ndata: {}\n\n"
                return
            ended = found["state"] != "running"
            found["fresh"] = found["done"] != shown and (ended or look % RESULTS_EVERY == 0)
            shown = found["done"] if found["fresh"] else shown
            if (text := json.dumps(found)) != told:
                told = text
                yield f"data: {text}\n\n"
            if ended:
                yield "event: ended\ndata: {}\n\n"
                return
            await asyncio.sleep(SECONDS)

    def script(self, _request: Request) -> Response:
        return Response(self._source("live.js"), media_type="text/javascript")

    def style(self, _request: Request) -> Response:
        from replicast.reporting.drawing import STYLE

        return Response(self._source("live.css") + STYLE, media_type="text/css")

    def _source(self, name: str) -> str:
        assert self.templates.loader is not None
        return self.templates.loader.get_source(self.templates, name)[0]

    def _run(self, request: Request) -> Run:
        return Run(self.store, request.path_params["run"])


def make_app(store: Store, token: str, hosts: frozenset[str]) -> Any:
    shown = Pages(store)
    routes = [
        Route("/", shown.runs), Route("/live.js", shown.script), Route("/live.css", shown.style),
        Route("/compare", shown.compare), Route("/run/{run}", shown.run), Route("/run/{run}/events", shown.events),
        Route("/run/{run}/results", shown.results), Route("/run/{run}/table/{table:path}", shown.table),
    ]  # fmt: skip
    return Guard(Starlette(routes=routes, exception_handlers={ReplicastError: refused}), token, hosts)


def refused(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"replicast: {error}", status_code=404)
