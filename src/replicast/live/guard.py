"""Who may ask the local page anything: this machine, with the token, from no other site."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

COOKIE = "replicast-token"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Before the pages: refuses a foreign Host or Origin, writing, and whoever has no token."""

    def __init__(self, app: Any, token: str, hosts: frozenset[str]) -> None:
        self.app, self.token, self.hosts = app, token, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, query = Headers(scope=scope), parse_qs(scope["query_string"].decode("latin-1"))
        given = query.get("token", [""])[0] or _cookie(headers.get("cookie", ""), self._cookie_name(headers))
        if refusal := self._refusal(scope["method"], headers, given):
            await PlainTextResponse(refusal, status_code=403, headers=HEADERS)(scope, receive, send)
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    own[name] = value
                if "token" in query:
                    own.append(
                        "Set-Cookie", f"{self._cookie_name(headers)}={self.token}; HttpOnly; SameSite=Strict; Path=/"
                    )
            await send(message)

        await self.app(scope, receive, send_guarded)

    def _cookie_name(self, headers: Headers) -> str:
        """Cookies know no port: two pages of one machine must not share one."""
        return f"{COOKIE}-{headers.get('host', '').rpartition(':')[2]}"

    def _refusal(self, method: str, headers: Headers, given: str) -> str:
        if headers.get("host", "") not in self.hosts:
            return "this page answers this machine alone"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc not in self.hosts:
            return "another site may not ask this page"
        if headers.get("sec-fetch-site", "none") == "cross-site":
            return "another site may not ask this page"
        if method not in ("GET", "HEAD"):
            return "this page only shows; it changes nothing"
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return "open the address that `replicast ui` printed: it holds a token"
        return ""


def _cookie(text: str, wanted: str) -> str:
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value
    return ""
