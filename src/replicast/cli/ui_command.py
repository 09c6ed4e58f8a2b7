"""`ui`: a page over a store, on this machine alone."""

from __future__ import annotations

import argparse
import secrets
import socket

from replicast.core.errors import RequestError

from .screen import print_json, say

LOOPBACK = "127.0.0.1"


def ui(chosen: argparse.Namespace) -> int:
    """Serves until it is interrupted."""
    from replicast.asking.settings import default_store
    from replicast.stores import open_named_store

    try:
        import uvicorn

        from replicast.live.app import make_app
    except ImportError:
        raise RequestError(
            "the page needs Starlette, uvicorn and Jinja2: python -m pip install 'replicast[ui]'"
        ) from None
    store = open_named_store(chosen.store or default_store())
    listener = _listen(chosen.port)
    port, token = listener.getsockname()[1], secrets.token_urlsafe(24)
    address = f"http://{LOOPBACK}:{port}/?token={token}"
    if chosen.json:
        print_json({"url": address, "store": store.label})
    else:
        print(address, flush=True)
        say("open that address in a browser of this machine; Ctrl-C ends it, and no run is touched")
    hosts = frozenset(f"{name}:{port}" for name in (LOOPBACK, "localhost"))
    settings = uvicorn.Config(
        make_app(store, token, hosts), log_level="error", access_log=False, timeout_graceful_shutdown=1
    )
    uvicorn.Server(settings).run(sockets=[listener])
    return 0


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()  # before the address is printed: who asks at once waits for the server, and is not refused
    except OSError as error:
        raise RequestError(f"--port {port} cannot be had: {error.strerror}; 0 takes any that is free") from error
    return listener
